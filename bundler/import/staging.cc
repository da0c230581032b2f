#include "bundler/import/staging.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <optional>

#include "appliance/base/sha256.h"
#include "bundler/import/journal.h"

namespace skerry::import {

namespace {

constexpr unsigned kDirectoryMode = 0755;
constexpr std::string_view kPrefix = "sha256-";
constexpr int kAttempts = 5;
constexpr long kPauseNs = 20'000'000;

bool IsDigest(std::string_view name) {
  return name.starts_with(kPrefix) && Sha256Digest::FromHex(name.substr(kPrefix.size()));
}

// Whether the lock could be taken; `wait` blocks until it can.
Result<bool> Lock(int fd, bool wait) {
  int status;
  do {
    status = ::flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
  } while (status != 0 && errno == EINTR);
  if (status == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return ErrnoError("cannot lock a folder below 'staging'", errno);
}

Result<UniqueFd> OpenDirectory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return ErrnoError("cannot open '" + path + "'", errno);
  return fd;
}

// Whether `path` still names the directory that `fd` has open.
bool IsStill(int fd, const std::string& path) {
  struct stat here {
  }, there{};
  return ::fstat(fd, &here) == 0 &&
         ::fstatat(AT_FDCWD, path.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

Error Running(const std::string& folder) {
  return Error(ErrorCode::kUnavailable, "'" + folder +
                                            "' is in use: this bundle is being imported by another "
                                            "process; wait for it to end");
}

// The journal's view of `digest`.
Result<Unfinished> Describe(FileSystem& files, const std::string& digest) {
  Unfinished item;
  item.digest = digest;
  const std::optional<JournalState> state = TRY(Journal::Read(files, JournalPath(digest)));
  if (!state) return item;
  item.id = state->head.id;
  item.version = state->head.version;
  item.since = state->head.since;
  item.total_bytes = state->head.total_bytes;
  for (const RecordedChunks& range : state->ranges) item.done_bytes += range.bytes;
  return item;
}

}  // namespace

std::string StagingFolder(const std::string& digest) {
  return std::string(kStagingDirectory) + "/" + digest;
}

std::string JournalPath(const std::string& digest) { return StagingFolder(digest) + "/progress"; }

Result<void> MakeStaging(FileSystem& files) {
  TRY(MakeDirectories(files, kStagingDirectory, kDirectoryMode));
  TRY(MakeDirectories(files, kStoreDirectory, kDirectoryMode));
  return files.SyncDirectory(".");
}

Result<UniqueFd> RealStagingLocks::TakeFolder(const std::string& folder) {
  const std::string path = data_directory_ + "/" + folder;
  UniqueFd fd = TRY(OpenDirectory(path));
  for (int attempt = 0;; ++attempt) {
    const bool locked = TRY(Lock(fd.get(), /*wait=*/false));
    if (locked) break;
    if (attempt == kAttempts) return Running(folder);
    // A listing holds it for a moment.
    const timespec pause{0, kPauseNs};
    ::nanosleep(&pause, nullptr);
  }
  if (IsStill(fd.get(), path)) return fd;
  return Error(ErrorCode::kNotFound, "'" + folder + "' was removed");
}

Result<UniqueFd> RealStagingLocks::TakePublishing() {
  UniqueFd fd = TRY(OpenDirectory(data_directory_ + "/" + kStagingDirectory));
  TRY(Lock(fd.get(), /*wait=*/true));
  return fd;
}

Result<UniqueFd> MakeAndTakeFolder(FileSystem& files, StagingLocks& locks,
                                   const std::string& folder) {
  // It may be discarded between the two.
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const Result<void> made = files.MakeDirectory(folder, kDirectoryMode);
    if (!made && made.error().code() != ErrorCode::kAlreadyExists) return made.error();
    Result<UniqueFd> lock = locks.TakeFolder(folder);
    if (lock || lock.error().code() != ErrorCode::kNotFound) return lock;
  }
  return Running(folder);
}

Result<std::vector<Unfinished>> ListUnfinished(FileSystem& files, StagingLocks& locks) {
  std::vector<Unfinished> list;
  if (!files.Exists(kStagingDirectory)) return list;
  const std::vector<DirectoryEntry> entries = TRY(files.List(kStagingDirectory));
  for (const DirectoryEntry& entry : entries) {
    if (entry.kind != FileKind::kDirectory || !IsDigest(entry.name)) continue;
    const Result<UniqueFd> lock = locks.TakeFolder(StagingFolder(entry.name));
    if (!lock && lock.error().code() == ErrorCode::kNotFound) continue;
    if (!lock && lock.error().code() != ErrorCode::kUnavailable) return lock.error();
    Unfinished item = TRY(Describe(files, entry.name));
    item.running = !lock;
    list.push_back(std::move(item));
  }
  return list;
}

Result<void> Discard(FileSystem& files, StagingLocks& locks, const std::string& digest) {
  if (!IsDigest(digest)) {
    return Error(ErrorCode::kInvalidArgument,
                 "what is discarded is named by its digest, 'sha256-' and 64 hex digits ('skerry "
                 "import --unfinished' lists them), or 'all'");
  }
  const std::string folder = StagingFolder(digest);
  if (!files.Exists(folder)) {
    return Error(ErrorCode::kNotFound, "there is no unfinished import '" + digest +
                                           "'; 'skerry import --unfinished' lists those that are");
  }
  const UniqueFd lock = TRY(locks.TakeFolder(folder));
  return RemoveTree(files, folder);
}

Result<size_t> DiscardAll(FileSystem& files, StagingLocks& locks) {
  size_t removed = 0;
  if (!files.Exists(kStagingDirectory)) return removed;
  const std::vector<DirectoryEntry> entries = TRY(files.List(kStagingDirectory));
  for (const DirectoryEntry& entry : entries) {
    const std::string path = std::string(kStagingDirectory) + "/" + entry.name;
    UniqueFd lock;
    if (entry.kind == FileKind::kDirectory) {
      Result<UniqueFd> taken = locks.TakeFolder(path);
      if (!taken && (taken.error().code() == ErrorCode::kUnavailable ||
                     taken.error().code() == ErrorCode::kNotFound)) {
        continue;
      }
      lock = TRY(std::move(taken));
    }
    TRY(RemoveTree(files, path));
    ++removed;
  }
  return removed;
}

}  // namespace skerry::import
