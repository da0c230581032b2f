#include "bundler/import/staging.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "appliance/base/encode.h"
#include "appliance/base/files.h"

namespace skerry::import {

namespace {

constexpr unsigned kDirectoryMode = 0755;

Result<UniqueFd> OpenDirectory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return ErrnoError("cannot open '" + path + "'", errno);
  return fd;
}

// Whether the lock could be taken; `wait` blocks until it can.
Result<bool> Lock(int fd, bool wait) {
  int status;
  do {
    status = ::flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
  } while (status != 0 && errno == EINTR);
  if (status == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return ErrnoError("cannot lock a staging folder", errno);
}

Result<void> RemoveDead(FileSystem& files, const std::string& data_directory) {
  const std::vector<DirectoryEntry> entries = TRY(files.List("staging"));
  for (const DirectoryEntry& entry : entries) {
    const std::string path = "staging/" + entry.name;
    if (entry.kind == FileKind::kDirectory) {
      const UniqueFd fd = TRY(OpenDirectory(data_directory + "/" + path));
      const bool dead = TRY(Lock(fd.get(), /*wait=*/false));
      if (!dead) continue;
    }
    TRY(RemoveTree(files, path));
  }
  return {};
}

}  // namespace

Result<StagingFolder> StagingFolder::Make(const std::string& data_directory) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles(data_directory));
  TRY(MakeDirectories(*files, "staging", kDirectoryMode));
  TRY(MakeDirectories(*files, "store", kDirectoryMode));
  TRY(files->SyncDirectory("."));
  // Short: between a folder's making and its locking nobody else may look.
  const UniqueFd all = TRY(OpenDirectory(data_directory + "/staging"));
  TRY(Lock(all.get(), /*wait=*/true));
  TRY(RemoveDead(*files, data_directory));
  std::array<uint8_t, 8> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    return ErrnoError("cannot get random bytes", errno);
  }
  std::string path = "staging/" + HexEncode(random);
  TRY(files->MakeDirectory(path, kDirectoryMode));
  UniqueFd own = TRY(OpenDirectory(data_directory + "/" + path));
  TRY(Lock(own.get(), /*wait=*/true));
  return StagingFolder(std::move(path), std::move(own));
}

}  // namespace skerry::import
