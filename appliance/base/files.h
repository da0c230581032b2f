// Files behind an interface, so that a test can make call N fail or lose what was not synced
// (appliance/base/testing). Paths are relative to the object's root directory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"

namespace skerry {

// An open file. One thread, except ReadAt and WriteAt, which may run concurrently with themselves
// and each other, WriteAt on ranges that nobody else touches.
class File {
 public:
  virtual ~File() = default;

  // Fills `out` from `offset`; fewer bytes only at the end of the file. Returns the number read.
  virtual Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const = 0;
  // Writes all of `bytes` at the current end.
  virtual Result<void> Append(std::span<const uint8_t> bytes) = 0;
  // Writes all of `bytes` at `offset`; a gap before it reads as zeros. kInternal for a file that
  // was opened for reading or by OpenAppend.
  virtual Result<void> WriteAt(uint64_t offset, std::span<const uint8_t> bytes);
  // Makes the file `size` bytes long (longer ones stay as they are; new bytes are zero) and
  // reserves the space, so that a WriteAt below `size` does not fail for want of it; a file system
  // that cannot reserve only gets the size. kExhausted when there is too little space: the file may
  // then have any size.
  virtual Result<void> Allocate(uint64_t size);
  // Returns when contents and size are durable (fdatasync).
  virtual Result<void> Sync() = 0;
  virtual Result<uint64_t> Size() const = 0;
  // Cuts the file to `size` bytes.
  virtual Result<void> Truncate(uint64_t size) = 0;

  // Space that the file takes on its disk, reserved space included; the size where that is not
  // known.
  virtual Result<uint64_t> AllocatedBytes() const { return Size(); }
  // Changes the permissions. Without effect where files have none.
  virtual Result<void> SetMode(unsigned /*mode*/) { return {}; }

  // Hints that change nothing but the speed; as thread-safe as WriteAt. The range will be synced
  // soon, so the disk may begin to write it.
  virtual void StartWriteback(uint64_t /*offset*/, uint64_t /*size*/) {}
  // Nobody reads the range soon, so it need not be kept in memory.
  virtual void WillNotNeed(uint64_t /*offset*/, uint64_t /*size*/) const {}
};

// A multiple of what disks and file systems ask of direct writes.
inline constexpr size_t kDirectAlignment = 4096;

enum class FileKind { kFile, kDirectory, kOther };

struct DirectoryEntry {
  std::string name;
  FileKind kind;
};

// A directory tree. Thread-safe. Every call names the path in its error.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> OpenRead(const std::string& path) = 0;
  // A new file for appending and WriteAt; kAlreadyExists when there is one. Mode 0600 unless given.
  virtual Result<std::unique_ptr<File>> Create(const std::string& path, unsigned mode = 0600) = 0;
  // An existing file for reading and WriteAt; its content stays.
  virtual Result<std::unique_ptr<File>> OpenWrite(const std::string& path) = 0;
  // The same for much data that nobody reads soon: whole blocks that lie at a multiple of
  // kDirectAlignment in the file and in memory go to the disk without a copy in the page cache,
  // where the file system can do that (O_DIRECT).
  virtual Result<std::unique_ptr<File>> OpenWriteDirect(const std::string& path) {
    return OpenWrite(path);
  }
  // An existing or new file for appending (and reading).
  virtual Result<std::unique_ptr<File>> OpenAppend(const std::string& path,
                                                   unsigned mode = 0600) = 0;
  virtual Result<void> MakeDirectory(const std::string& path, unsigned mode = 0700) = 0;
  // Atomic; replaces a file at `to`.
  virtual Result<void> Rename(const std::string& from, const std::string& to) = 0;
  // Atomic; kAlreadyExists when `to` exists.
  virtual Result<void> RenameNoReplace(const std::string& from, const std::string& to) = 0;
  virtual Result<void> Remove(const std::string& path) = 0;  // a file or an empty directory
  // Makes the directory's entries (creations, renames, removals) durable.
  virtual Result<void> SyncDirectory(const std::string& path) = 0;
  virtual Result<std::vector<DirectoryEntry>> List(const std::string& path) = 0;  // sorted by name
  virtual Result<FileKind> Stat(const std::string& path) = 0;  // follows no symlink
  // Where a symlink points, as it says; kInvalidArgument for anything else.
  virtual Result<std::string> ReadLink(const std::string& path) = 0;
  virtual Result<uint64_t> FreeBytes() = 0;
  // What a file's space is a multiple of.
  virtual Result<uint64_t> BlockBytes() { return uint64_t{4096}; }

  bool Exists(const std::string& path) { return Stat(path).has_value(); }
};

// kRefuse: no call leaves the root or passes a symbolic link on its way (openat2 of Linux 5.6;
// nothing works on an older kernel), also while somebody else exchanges parts of the path; then
// absolute paths and ".." out of the root are refused, with kDenied. Of kFollow only OpenRead and
// List follow a link in the last part.
enum class Symlinks { kFollow, kRefuse };

// The operating system's files below `root` (absolute or relative to the working directory; must
// exist). "/" gives the whole machine. `root` itself may be a link.
Result<std::unique_ptr<FileSystem>> OpenFiles(const std::string& root,
                                              Symlinks symlinks = Symlinks::kFollow);
// The same below an open directory.
std::unique_ptr<FileSystem> OpenFiles(UniqueFd directory, Symlinks symlinks = Symlinks::kFollow);
// An already open descriptor as a File; `name` is for errors.
std::unique_ptr<File> AdoptFile(UniqueFd fd, std::string name);

// The whole file; kExhausted when it is longer than `max_bytes`.
Result<std::string> ReadAll(FileSystem& files, const std::string& path,
                            size_t max_bytes = 64 << 20);
Result<std::string> ReadAll(const File& file, size_t max_bytes = 64 << 20);

// Replaces `path` so that after a power cut there is the old or the new content, never a mixture:
// temporary file beside it, sync, rename, sync of the directory.
Result<void> WriteAtomically(FileSystem& files, const std::string& path, std::string_view content,
                             unsigned mode = 0600);

// MakeDirectory for each part of `path` that does not exist.
Result<void> MakeDirectories(FileSystem& files, const std::string& path, unsigned mode = 0700);

// Removes `path` and everything below it; absence is success. Follows no symlink.
Result<void> RemoveTree(FileSystem& files, const std::string& path);

// `path` made absolute by the working directory, without "." and "..".
Result<std::string> AbsolutePath(const std::string& path);

// "a/b/c" -> "a/b"; "c" -> ".".
std::string ParentDirectory(std::string_view path);

}  // namespace skerry
