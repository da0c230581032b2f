// DATA/staging: one folder per bundle that is being imported, named by its digest, so that an
// import that was interrupted is found again. A folder is locked as long as an import works in it;
// what is there and not locked waits to be continued or discarded.
//
// staging/sha256-HEX/model is what becomes store/sha256-HEX, staging/sha256-HEX/progress the
// journal.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"

namespace skerry::import {

inline constexpr char kStagingDirectory[] = "staging";
inline constexpr char kStoreDirectory[] = "store";

// Of the bundle `digest` ("sha256-HEX"), relative to the data directory.
std::string StagingFolder(const std::string& digest);
std::string JournalPath(const std::string& digest);

// Makes `staging` and `store`, durably, where they do not exist.
Result<void> MakeStaging(FileSystem& files);

// Who may work where. Locks last until the descriptor is closed or the process ends.
class StagingLocks {
 public:
  virtual ~StagingLocks() = default;
  // Takes `folder` (StagingFolder). kUnavailable when another process has it, kNotFound when it
  // does not exist (any more).
  virtual Result<UniqueFd> TakeFolder(const std::string& folder) = 0;
  // Waits until no other import is publishing.
  virtual Result<UniqueFd> TakePublishing() = 0;
};

// Locks of the operating system (flock) below `data_directory`. Thread-safe.
class RealStagingLocks : public StagingLocks {
 public:
  explicit RealStagingLocks(std::string data_directory)
      : data_directory_(std::move(data_directory)) {}
  Result<UniqueFd> TakeFolder(const std::string& folder) override;
  Result<UniqueFd> TakePublishing() override;

 private:
  const std::string data_directory_;
};

// Makes `folder` where it does not exist and takes it. kUnavailable when another process has it.
Result<UniqueFd> MakeAndTakeFolder(FileSystem& files, StagingLocks& locks,
                                   const std::string& folder);

struct Unfinished {
  std::string digest;  // "sha256-HEX"
  bool running = false;
  // From the journal; empty and 0 when nothing was copied yet.
  std::string id;
  std::string version;
  std::string since;
  uint64_t done_bytes = 0;
  uint64_t total_bytes = 0;
};

// Imports that are running or were interrupted, by digest.
Result<std::vector<Unfinished>> ListUnfinished(FileSystem& files, StagingLocks& locks);

// Removes what an interrupted import has left. kNotFound when there is none of `digest`,
// kUnavailable while it runs.
Result<void> Discard(FileSystem& files, StagingLocks& locks, const std::string& digest);
// All of them but those that run, and whatever else lies in `staging`. How many were removed.
Result<size_t> DiscardAll(FileSystem& files, StagingLocks& locks);

}  // namespace skerry::import
