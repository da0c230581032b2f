// What skerry-bundler does for each command, apart from its command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "appliance/base/result.h"

namespace skerry::build {

struct GenerateOptions {
  std::string role;
  std::string out;
};
Result<void> RunGenerate(const GenerateOptions& options);

struct InitOptions {
  std::vector<std::string> root_keys;     // secret: they sign
  std::vector<std::string> release_keys;  // public
  std::vector<std::string> revoke_keys;   // public; none: the root keys
  std::vector<std::string> thresholds;    // "release=2"
  std::string out;
};
Result<void> RunInit(const InitOptions& options);

struct CreateCommandOptions {
  std::string model;
  std::string id;
  std::string version;
  uint64_t release_seq = 0;
  std::vector<std::string> keys;
  std::string trust;
  std::string revocations;
  std::vector<std::string> exclude;
  std::vector<std::string> documents;  // paths; their file name is the document's name
  std::string out;
  bool json = false;
};
Result<void> RunCreate(const CreateCommandOptions& options);

}  // namespace skerry::build
