// `skerry-bundler bundle create`, apart from its command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "appliance/base/result.h"
#include "bundler/build/source.h"

namespace skerry::build {

struct CreateCommandOptions {
  std::string model;
  std::string id;
  std::string version;
  uint64_t release_seq = 0;
  std::string expires;  // empty: never
  std::vector<std::string> keys;
  std::string passphrase_file;  // empty: ask
  std::string trust;
  std::string revocations;
  std::string from_ollama;
  std::string from_lmstudio;
  std::string store;
  SourceOptions source;
  std::vector<std::string> previous;   // the release before, or its volumes; empty: none
  bool yes = false;                    // do not ask whether to sign changed templates
  std::vector<std::string> documents;  // paths; their file name is the document's name
  std::string out;
  std::string box;          // profile of the machine it is for; empty: none
  std::string volume_size;  // empty: one archive
  bool force = false;
  bool json = false;
};
Result<void> RunCreate(const CreateCommandOptions& options);

}  // namespace skerry::build
