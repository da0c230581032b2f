#include "appliance/admin/store_removal.h"

#include <vector>

#include "bundler/trust/absorb.h"

namespace skerry::admin {

namespace {

constexpr char kStore[] = "store";

std::string InStore(const std::string& name) { return std::string(kStore) + "/" + name; }

}  // namespace

Result<void> TakeOut(FileSystem& files, const std::string& digest) {
  const std::string from = InStore(digest);
  const std::string to = InStore(std::string(trust::kTakenOutPrefix) + digest);
  if (!files.Exists(from)) {
    return Error(ErrorCode::kNotFound, "the store has no model '" + digest + "'");
  }
  TRY(RemoveTree(files, to));  // of an earlier removal that was not finished
  // Within one directory, so that a power cut cannot leave it under both names or under none.
  TRY(files.RenameNoReplace(from, to));
  const Result<void> synced = files.SyncDirectory(kStore);
  if (synced) return {};
  // Not durable, so not done: take it back as far as the disk still answers.
  (void)files.RenameNoReplace(to, from);
  return synced;
}

Result<void> RemoveTakenOut(FileSystem& files) {
  const std::vector<DirectoryEntry> entries = TRY(files.List(kStore));
  for (const DirectoryEntry& entry : entries) {
    if (!entry.name.starts_with(trust::kTakenOutPrefix)) continue;
    TRY(RemoveTree(files, InStore(entry.name)));
  }
  return {};
}

}  // namespace skerry::admin
