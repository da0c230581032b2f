#include "appliance/base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <filesystem>

#include "appliance/base/encode.h"

namespace skerry {

namespace {

std::string Quoted(std::string_view verb, std::string_view path) {
  return std::string(verb) + " '" + std::string(path) + "'";
}

class OsFile : public File {
 public:
  // Of files for appending the kernel puts every write at the end, whatever its offset.
  enum class Writes { kAnywhere, kAtTheEnd };

  // `direct`: the same file opened with O_DIRECT, or none.
  OsFile(UniqueFd fd, std::string name, Writes writes, UniqueFd direct = UniqueFd())
      : fd_(std::move(fd)),
        direct_(std::move(direct)),
        name_(std::move(name)),
        writes_(writes),
        is_direct_(static_cast<bool>(direct_)) {}

  Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t got = ::pread(fd_.get(), out.data() + done, out.size() - done,
                                  static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrnoError(Quoted("cannot read", name_), errno);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

  Result<void> Append(std::span<const uint8_t> bytes) override {
    const uint64_t end = TRY(Size());
    return Put(end, bytes);
  }

  Result<void> WriteAt(uint64_t offset, std::span<const uint8_t> bytes) override {
    if (writes_ == Writes::kAtTheEnd) return File::WriteAt(offset, bytes);
    const size_t done = TRY(PutDirect(offset, bytes));
    return Put(offset + done, bytes.subspan(done));
  }

  Result<void> Allocate(uint64_t size) override {
    if (writes_ == Writes::kAtTheEnd) return File::Allocate(size);
    if (size == 0) return {};
    int status = 0;
    do {
      status = ::fallocate(fd_.get(), 0, 0, static_cast<off_t>(size));
    } while (status != 0 && errno == EINTR);
    if (status == 0) return {};
    if (errno != EOPNOTSUPP) return ErrnoError(Quoted("cannot reserve space for", name_), errno);
    // By its last byte and not by ftruncate, which the importer's sandbox does not have.
    const uint64_t old_size = TRY(Size());
    const uint8_t zero = 0;
    return old_size < size ? Put(size - 1, {&zero, 1}) : Result<void>();
  }

  Result<void> Sync() override {
    if (::fdatasync(fd_.get()) != 0) return ErrnoError(Quoted("cannot sync", name_), errno);
    return {};
  }

  Result<uint64_t> Size() const override {
    struct stat info {};
    if (::fstat(fd_.get(), &info) != 0) return ErrnoError(Quoted("cannot stat", name_), errno);
    return static_cast<uint64_t>(info.st_size);
  }

  Result<void> Truncate(uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) {
      return ErrnoError(Quoted("cannot truncate", name_), errno);
    }
    return {};
  }

  Result<uint64_t> AllocatedBytes() const override {
    constexpr uint64_t kUnit = 512;  // of st_blocks, whatever the file system's block is
    struct stat info {};
    if (::fstat(fd_.get(), &info) != 0) return ErrnoError(Quoted("cannot stat", name_), errno);
    return static_cast<uint64_t>(info.st_blocks) * kUnit;
  }

  Result<void> SetMode(unsigned mode) override {
    if (::fchmod(fd_.get(), mode) != 0) {
      return ErrnoError(Quoted("cannot change the mode of", name_), errno);
    }
    return {};
  }

  void StartWriteback(uint64_t offset, uint64_t size) override {
    (void)::sync_file_range(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(size),
                            SYNC_FILE_RANGE_WRITE);
  }

  void WillNotNeed(uint64_t offset, uint64_t size) const override {
    (void)::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(size),
                          POSIX_FADV_DONTNEED);
  }

 private:
  // Writes whole blocks past the page cache, as far as that goes; returns how many bytes it wrote.
  Result<size_t> PutDirect(uint64_t offset, std::span<const uint8_t> bytes) {
    size_t done = 0;
    while (is_direct_) {
      const uint8_t* from = bytes.data() + done;
      const size_t whole = (bytes.size() - done) / kDirectAlignment * kDirectAlignment;
      const bool aligned = (offset + done) % kDirectAlignment == 0 &&
                           reinterpret_cast<uintptr_t>(from) % kDirectAlignment == 0;
      if (whole == 0 || !aligned) break;
      const ssize_t put = ::pwrite(direct_.get(), from, whole, static_cast<off_t>(offset + done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && errno == EINVAL) {  // this file system or disk wants it another way
        is_direct_ = false;
        break;
      }
      if (put < 0) return ErrnoError(Quoted("cannot write", name_), errno);
      done += static_cast<size_t>(put);
    }
    return done;
  }

  Result<void> Put(uint64_t offset, std::span<const uint8_t> bytes) {
    while (!bytes.empty()) {
      const ssize_t put =
          ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return ErrnoError(Quoted("cannot write", name_), errno);
      offset += static_cast<uint64_t>(put);
      bytes = bytes.subspan(static_cast<size_t>(put));
    }
    return {};
  }

  UniqueFd fd_;
  UniqueFd direct_;
  std::string name_;
  Writes writes_;
  std::atomic<bool> is_direct_;
};

bool IsSameFile(const UniqueFd& a, const UniqueFd& b) {
  struct stat left {};
  struct stat right {};
  return ::fstat(a.get(), &left) == 0 && ::fstat(b.get(), &right) == 0 &&
         left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

FileKind KindOf(mode_t mode) {
  if (S_ISREG(mode)) return FileKind::kFile;
  if (S_ISDIR(mode)) return FileKind::kDirectory;
  return FileKind::kOther;
}

class OsFileSystem : public FileSystem {
 public:
  OsFileSystem(UniqueFd root, Symlinks symlinks) : root_(std::move(root)), symlinks_(symlinks) {}

  Result<std::unique_ptr<File>> OpenRead(const std::string& path) override {
    UniqueFd fd = TRY(Open(path, O_RDONLY | O_NOCTTY, 0, "cannot open"));
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return ErrnoError(Quoted("cannot stat", path), errno);
    if (S_ISDIR(info.st_mode)) return ErrnoError(Quoted("cannot read", path), EISDIR);
    return AdoptFile(std::move(fd), path);
  }

  Result<std::unique_ptr<File>> Create(const std::string& path, unsigned mode) override {
    UniqueFd fd = TRY(Open(path, O_RDWR | O_CREAT | O_EXCL, mode, "cannot create"));
    return AdoptFile(std::move(fd), path);
  }

  Result<std::unique_ptr<File>> OpenWrite(const std::string& path) override {
    UniqueFd fd = TRY(Open(path, O_RDWR | O_NOFOLLOW | O_NOCTTY, 0, "cannot open"));
    return AdoptFile(std::move(fd), path);
  }

  Result<std::unique_ptr<File>> OpenWriteDirect(const std::string& path) override {
    constexpr int kFlags = O_RDWR | O_NOFOLLOW | O_NOCTTY;
    UniqueFd fd = TRY(Open(path, kFlags, 0, "cannot open"));
    Result<UniqueFd> direct = Open(path, kFlags | O_DIRECT, 0, "cannot open");
    if (!direct || !IsSameFile(fd, *direct)) return AdoptFile(std::move(fd), path);
    return std::unique_ptr<File>(
        new OsFile(std::move(fd), path, OsFile::Writes::kAnywhere, std::move(*direct)));
  }

  Result<std::unique_ptr<File>> OpenAppend(const std::string& path, unsigned mode) override {
    UniqueFd fd = TRY(Open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, mode, "cannot open"));
    return std::unique_ptr<File>(
        std::make_unique<OsFile>(std::move(fd), path, OsFile::Writes::kAtTheEnd));
  }

  Result<void> MakeDirectory(const std::string& path, unsigned mode) override {
    constexpr std::string_view kVerb = "cannot create directory";
    const Place place = TRY(Locate(path, kVerb));
    return Check(::mkdirat(place.directory, place.name.c_str(), mode), kVerb, path);
  }

  Result<void> Rename(const std::string& from, const std::string& to) override {
    return Move(from, to, 0);
  }

  Result<void> RenameNoReplace(const std::string& from, const std::string& to) override {
    return Move(from, to, RENAME_NOREPLACE);
  }

  Result<void> Remove(const std::string& path) override {
    constexpr std::string_view kVerb = "cannot remove";
    const Place place = TRY(Locate(path, kVerb));
    if (::unlinkat(place.directory, place.name.c_str(), 0) == 0) return {};
    const int first = errno;
    if (first == EISDIR || first == EPERM) {
      return Check(::unlinkat(place.directory, place.name.c_str(), AT_REMOVEDIR), kVerb, path);
    }
    return ErrnoError(Quoted(kVerb, path), first);
  }

  Result<void> SyncDirectory(const std::string& path) override {
    const UniqueFd fd = TRY(Open(path, O_RDONLY | O_DIRECTORY, 0, "cannot open"));
    return Check(::fsync(fd.get()), "cannot sync directory", path);
  }

  Result<std::vector<DirectoryEntry>> List(const std::string& path) override {
    UniqueFd fd = TRY(Open(path, O_RDONLY | O_DIRECTORY, 0, "cannot list"));
    DIR* directory = ::fdopendir(fd.get());
    if (directory == nullptr) return ErrnoError(Quoted("cannot list", path), errno);
    (void)fd.Release();  // closedir closes it
    std::vector<DirectoryEntry> entries;
    while (const dirent* entry = ::readdir(directory)) {
      std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      struct stat info {};
      if (::fstatat(::dirfd(directory), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
      entries.push_back({std::move(name), KindOf(info.st_mode)});
    }
    ::closedir(directory);
    std::sort(entries.begin(), entries.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return entries;
  }

  Result<FileKind> Stat(const std::string& path) override {
    constexpr std::string_view kVerb = "cannot stat";
    const Place place = TRY(Locate(path, kVerb));
    struct stat info {};
    TRY(Check(::fstatat(place.directory, place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW), kVerb,
              path));
    return KindOf(info.st_mode);
  }

  Result<std::string> ReadLink(const std::string& path) override {
    const Place place = TRY(Locate(path, "cannot read link"));
    std::string target(PATH_MAX, '\0');
    const ssize_t length =
        ::readlinkat(place.directory, place.name.c_str(), target.data(), target.size());
    if (length < 0 && errno == EINVAL) {
      return Error(ErrorCode::kInvalidArgument, "'" + path + "' is not a link");
    }
    if (length < 0) return ErrnoError(Quoted("cannot read link", path), errno);
    target.resize(static_cast<size_t>(length));
    return target;
  }

  Result<uint64_t> FreeBytes() override {
    struct statvfs info {};
    TRY(Check(::fstatvfs(root_.get(), &info), "cannot read free space of", "."));
    return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  }

  Result<uint64_t> BlockBytes() override {
    struct statvfs info {};
    TRY(Check(::fstatvfs(root_.get(), &info), "cannot read the block size of", "."));
    return std::max<uint64_t>(1, info.f_frsize);
  }

 private:
  // Where an entry is, for calls that take a directory and a name and follow no link in the name.
  struct Place {
    UniqueFd owned;  // none: `directory` is the root
    int directory = -1;
    std::string name;
  };

  Result<Place> Locate(const std::string& path, std::string_view verb) const {
    Place place;
    if (symlinks_ == Symlinks::kFollow) {
      place.directory = root_.get();
      place.name = path;
      return place;
    }
    const size_t slash = path.rfind('/');
    place.name = slash == std::string::npos ? path : path.substr(slash + 1);
    if (place.name == ".." || (place.name.empty() && slash != std::string::npos)) {
      return ErrnoError(Quoted(verb, path), EINVAL);
    }
    // Also where there is no slash: a path that is empty fails here as everywhere.
    const std::string parent = ParentDirectory(path);
    place.owned = UniqueFd(OpenBelow(parent, O_PATH | O_DIRECTORY, 0));
    if (!place.owned) return Refusal(verb, path, errno);
    place.directory = place.owned.get();
    return place;
  }

  Result<UniqueFd> Open(const std::string& path, int flags, unsigned mode,
                        std::string_view verb) const {
    UniqueFd fd(symlinks_ == Symlinks::kRefuse
                    ? OpenBelow(path, flags, mode)
                    : ::openat(root_.get(), path.c_str(), flags | O_CLOEXEC, mode));
    if (!fd) return Refusal(verb, path, errno);
    return fd;
  }

  // openat2(2); the C library has no name for it.
  int OpenBelow(const std::string& path, int flags, unsigned mode) const {
    open_how how{};
    how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
    how.mode = (flags & O_CREAT) != 0 ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    // EAGAIN: somebody renamed parts of the path meanwhile.
    constexpr int kAttempts = 100;
    int fd = -1;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      fd = static_cast<int>(::syscall(SYS_openat2, root_.get(), path.c_str(), &how, sizeof how));
      if (fd >= 0 || errno != EAGAIN) break;
    }
    return fd;
  }

  Error Refusal(std::string_view verb, std::string_view path, int errno_value) const {
    if (symlinks_ == Symlinks::kRefuse && errno_value == ELOOP) {
      return Error(ErrorCode::kDenied, Quoted(verb, path) +
                                           ": a part of the path is a symbolic link, and none is "
                                           "followed here; put the file itself in its place");
    }
    if (symlinks_ == Symlinks::kRefuse && errno_value == EXDEV) {
      return Error(ErrorCode::kDenied,
                   Quoted(verb, path) + ": the path leads out of the directory it must stay in");
    }
    return ErrnoError(Quoted(verb, path), errno_value);
  }

  Result<void> Move(const std::string& from, const std::string& to, unsigned flags) {
    constexpr std::string_view kVerb = "cannot rename to";
    const Place old_place = TRY(Locate(from, "cannot rename"));
    const Place new_place = TRY(Locate(to, kVerb));
    const long status = ::syscall(SYS_renameat2, old_place.directory, old_place.name.c_str(),
                                  new_place.directory, new_place.name.c_str(), flags);
    return Check(static_cast<int>(status), kVerb, to);
  }

  static Result<void> Check(int status, std::string_view verb, std::string_view path) {
    if (status != 0) return ErrnoError(Quoted(verb, path), errno);
    return {};
  }

  UniqueFd root_;
  Symlinks symlinks_;
};

}  // namespace

Result<void> File::WriteAt(uint64_t, std::span<const uint8_t>) {
  return Error(ErrorCode::kInternal, "this file was not opened for writing at a place");
}

Result<void> File::Allocate(uint64_t) {
  return Error(ErrorCode::kInternal, "this file was not opened for writing at a place");
}

Result<std::unique_ptr<FileSystem>> OpenFiles(const std::string& root, Symlinks symlinks) {
  UniqueFd fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return ErrnoError(Quoted("cannot open directory", root), errno);
  return OpenFiles(std::move(fd), symlinks);
}

std::unique_ptr<FileSystem> OpenFiles(UniqueFd directory, Symlinks symlinks) {
  return std::make_unique<OsFileSystem>(std::move(directory), symlinks);
}

std::unique_ptr<File> AdoptFile(UniqueFd fd, std::string name) {
  return std::make_unique<OsFile>(std::move(fd), std::move(name), OsFile::Writes::kAnywhere);
}

Result<std::string> ReadAll(FileSystem& files, const std::string& path, size_t max_bytes) {
  const std::unique_ptr<File> file = TRY(files.OpenRead(path));
  return ReadAll(*file, max_bytes).WithContext("'" + path + "'");
}

Result<std::string> ReadAll(const File& file, size_t max_bytes) {
  // Grows with what arrives rather than by the size claimed, so pipes and /proc work too.
  std::string content;
  constexpr size_t kStep = 64 << 10;
  for (;;) {
    const size_t old_size = content.size();
    if (old_size > max_bytes) {
      return Error(ErrorCode::kExhausted, "longer than " + std::to_string(max_bytes) + " bytes");
    }
    content.resize(old_size + kStep);
    const size_t got =
        TRY(file.ReadAt(old_size, {reinterpret_cast<uint8_t*>(content.data()) + old_size, kStep}));
    content.resize(old_size + got);
    if (got < kStep) break;
  }
  if (content.size() > max_bytes) {
    return Error(ErrorCode::kExhausted, "longer than " + std::to_string(max_bytes) + " bytes");
  }
  return content;
}

Result<void> WriteAtomically(FileSystem& files, const std::string& path, std::string_view content,
                             unsigned mode) {
  const std::string temporary = path + ".new";
  // A leftover of an interrupted call; whoever writes `path` owns that name.
  if (files.Exists(temporary)) TRY(files.Remove(temporary));
  {
    const std::unique_ptr<File> file = TRY(files.Create(temporary, mode));
    TRY(file->Append(AsBytes(content)));
    TRY(file->Sync());
  }
  TRY(files.Rename(temporary, path));
  return files.SyncDirectory(ParentDirectory(path));
}

Result<void> MakeDirectories(FileSystem& files, const std::string& path, unsigned mode) {
  for (size_t at = 1; at <= path.size(); ++at) {
    if (at < path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (part == "." || files.Exists(part)) continue;
    Result<void> made = files.MakeDirectory(part, mode);
    if (!made && made.error().code() != ErrorCode::kAlreadyExists) return made;
  }
  return {};
}

Result<void> RemoveTree(FileSystem& files, const std::string& path) {
  const Result<FileKind> kind = files.Stat(path);
  if (!kind) {
    if (kind.error().code() == ErrorCode::kNotFound) return {};
    return kind.error();
  }
  if (*kind == FileKind::kDirectory) {
    const std::vector<DirectoryEntry> entries = TRY(files.List(path));
    for (const DirectoryEntry& entry : entries) TRY(RemoveTree(files, path + "/" + entry.name));
  }
  return files.Remove(path);
}

Result<std::string> AbsolutePath(const std::string& path) {
  if (path.empty()) return Error(ErrorCode::kInvalidArgument, "a path is empty");
  std::error_code failed;
  const std::filesystem::path absolute = std::filesystem::absolute(path, failed);
  if (failed)
    return Error(ErrorCode::kIo, Quoted("cannot resolve", path) + ": " + failed.message());
  std::string text = absolute.lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

std::string ParentDirectory(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

}  // namespace skerry
