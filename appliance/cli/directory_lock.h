// The lock on a data directory: an appliance holds it while it runs, an offline command while it
// works, so that never two of them change the same files.
#pragma once

#include <string>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"

namespace skerry::cli {

// Held until destroyed, or until the process ends in whatever way.
class DirectoryLock {
 public:
  // Takes `directory`/lock and writes this process and `holder` (e.g. "skerry serve") into it.
  // kUnavailable, naming the holder, when another process has it; kNotFound without the directory.
  static Result<DirectoryLock> Take(const std::string& directory, const std::string& holder);

 private:
  explicit DirectoryLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace skerry::cli
