// What skerry-bundler does for keys and trust roots, apart from its command line.
#pragma once

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

}  // namespace skerry::build
