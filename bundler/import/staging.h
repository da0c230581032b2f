// A folder below DATA/staging that one import has to itself. It is locked as long as its process
// lives, so what a dead import left behind can be told from what a running one is writing.
#pragma once

#include <string>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"

namespace skerry::import {

class StagingFolder {
 public:
  // Makes `data_directory`/staging and /store when absent, removes the leftovers of dead imports
  // and makes a new folder. Safe beside other processes that do the same.
  static Result<StagingFolder> Make(const std::string& data_directory);

  // Relative to the data directory: "staging/1a2b3c4d5e6f7a8b".
  const std::string& path() const { return path_; }

 private:
  StagingFolder(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  UniqueFd lock_;
};

}  // namespace skerry::import
