// The release before the one that is being made: its chat templates, for the officer to see what
// changed before anything is signed.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/inspect/templates.h"

namespace skerry::build {

struct PreviousRelease {
  std::string id;
  std::string version;
  uint64_t release_seq = 0;
  std::vector<inspect::ChatTemplate> templates;
};

// Of the bundle (or all volumes of it) in `paths`. Its signatures must hold under the newest root
// of the root file `root_text` or under an earlier one: an old release was signed by the keys of
// its time, and one that anybody could have made would hide a change. What is read of it is
// compared with its signed hashes. Errors quote the file.
Result<PreviousRelease> ReadPrevious(FileSystem& files, std::span<const std::string> paths,
                                     const std::string& root_text);

// What an officer has to look at; empty when the templates are the same.
std::string DescribeChanges(const PreviousRelease& previous,
                            std::span<const inspect::ChatTemplate> now);

}  // namespace skerry::build
