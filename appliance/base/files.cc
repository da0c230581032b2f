#include "appliance/base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "appliance/base/encode.h"

namespace skerry {

namespace {

std::string Quoted(std::string_view verb, std::string_view path) {
  return std::string(verb) + " '" + std::string(path) + "'";
}

class OsFile : public File {
 public:
  OsFile(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

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
    while (!bytes.empty()) {
      const ssize_t put = ::write(fd_.get(), bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return ErrnoError(Quoted("cannot write", name_), errno);
      bytes = bytes.subspan(static_cast<size_t>(put));
    }
    return {};
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

 private:
  UniqueFd fd_;
  std::string name_;
};

FileKind KindOf(mode_t mode) {
  if (S_ISREG(mode)) return FileKind::kFile;
  if (S_ISDIR(mode)) return FileKind::kDirectory;
  return FileKind::kOther;
}

class OsFileSystem : public FileSystem {
 public:
  explicit OsFileSystem(UniqueFd root) : root_(std::move(root)) {}

  Result<std::unique_ptr<File>> OpenRead(const std::string& path) override {
    UniqueFd fd(::openat(root_.get(), path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd) return ErrnoError(Quoted("cannot open", path), errno);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return ErrnoError(Quoted("cannot stat", path), errno);
    if (S_ISDIR(info.st_mode)) return ErrnoError(Quoted("cannot read", path), EISDIR);
    return AdoptFile(std::move(fd), path);
  }

  Result<std::unique_ptr<File>> Create(const std::string& path, unsigned mode) override {
    return Open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND, mode, "cannot create");
  }

  Result<std::unique_ptr<File>> OpenAppend(const std::string& path, unsigned mode) override {
    return Open(path, O_RDWR | O_CREAT | O_APPEND, mode, "cannot open");
  }

  Result<void> MakeDirectory(const std::string& path, unsigned mode) override {
    return Check(::mkdirat(root_.get(), path.c_str(), mode), "cannot create directory", path);
  }

  Result<void> Rename(const std::string& from, const std::string& to) override {
    return Check(::renameat(root_.get(), from.c_str(), root_.get(), to.c_str()), "cannot rename to",
                 to);
  }

  Result<void> RenameNoReplace(const std::string& from, const std::string& to) override {
    return Check(static_cast<int>(::syscall(SYS_renameat2, root_.get(), from.c_str(), root_.get(),
                                            to.c_str(), RENAME_NOREPLACE)),
                 "cannot rename to", to);
  }

  Result<void> Remove(const std::string& path) override {
    if (::unlinkat(root_.get(), path.c_str(), 0) == 0) return {};
    const int first = errno;
    if (first == EISDIR || first == EPERM) {
      return Check(::unlinkat(root_.get(), path.c_str(), AT_REMOVEDIR), "cannot remove", path);
    }
    return ErrnoError(Quoted("cannot remove", path), first);
  }

  Result<void> SyncDirectory(const std::string& path) override {
    const UniqueFd fd(::openat(root_.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return ErrnoError(Quoted("cannot open", path), errno);
    return Check(::fsync(fd.get()), "cannot sync directory", path);
  }

  Result<std::vector<DirectoryEntry>> List(const std::string& path) override {
    const int fd = ::openat(root_.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return ErrnoError(Quoted("cannot list", path), errno);
    DIR* directory = ::fdopendir(fd);
    if (directory == nullptr) {
      ::close(fd);
      return ErrnoError(Quoted("cannot list", path), errno);
    }
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
    struct stat info {};
    TRY(Check(::fstatat(root_.get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW), "cannot stat",
              path));
    return KindOf(info.st_mode);
  }

  Result<uint64_t> FreeBytes() override {
    struct statvfs info {};
    TRY(Check(::fstatvfs(root_.get(), &info), "cannot read free space of", "."));
    return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  }

 private:
  Result<std::unique_ptr<File>> Open(const std::string& path, int flags, unsigned mode,
                                     std::string_view verb) {
    UniqueFd fd(::openat(root_.get(), path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd) return ErrnoError(Quoted(verb, path), errno);
    return AdoptFile(std::move(fd), path);
  }

  static Result<void> Check(int status, std::string_view verb, std::string_view path) {
    if (status != 0) return ErrnoError(Quoted(verb, path), errno);
    return {};
  }

  UniqueFd root_;
};

}  // namespace

Result<std::unique_ptr<FileSystem>> OpenFiles(const std::string& root) {
  UniqueFd fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return ErrnoError(Quoted("cannot open directory", root), errno);
  return OpenFiles(std::move(fd));
}

std::unique_ptr<FileSystem> OpenFiles(UniqueFd directory) {
  return std::make_unique<OsFileSystem>(std::move(directory));
}

std::unique_ptr<File> AdoptFile(UniqueFd fd, std::string name) {
  return std::make_unique<OsFile>(std::move(fd), std::move(name));
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
