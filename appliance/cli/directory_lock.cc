#include "appliance/cli/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace skerry::cli {

namespace {

constexpr size_t kMaxHolderBytes = 200;

// What the holder wrote about itself: "PID 123, skerry serve".
std::string ReadHolder(int fd) {
  char text[kMaxHolderBytes];
  const ssize_t got = ::pread(fd, text, sizeof text, 0);
  std::string holder;
  for (ssize_t i = 0; i < got && text[i] != '\n'; ++i) {
    if (text[i] >= 0x20 && text[i] < 0x7f) holder += text[i];
  }
  return holder.empty() ? "another process" : holder;
}

}  // namespace

Result<DirectoryLock> DirectoryLock::Take(const std::string& directory, const std::string& holder) {
  const std::string path = directory + "/lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return ErrnoError("cannot open '" + path + "'", errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoError("cannot lock '" + path + "'", errno);
    return Error(ErrorCode::kUnavailable, "'" + directory + "' is in use by " +
                                              ReadHolder(fd.get()) +
                                              "; wait for it or stop it first");
  }
  const std::string line = "PID " + std::to_string(::getpid()) + ", " + holder + "\n";
  if (::ftruncate(fd.get(), 0) != 0 ||
      ::pwrite(fd.get(), line.data(), line.size(), 0) != static_cast<ssize_t>(line.size())) {
    return ErrnoError("cannot write '" + path + "'", errno);
  }
  return DirectoryLock(std::move(fd));
}

}  // namespace skerry::cli
