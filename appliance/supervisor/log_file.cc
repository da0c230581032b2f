#include "appliance/supervisor/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>

#include "appliance/base/log.h"
#include "appliance/base/unix_socket.h"

namespace skerry::supervisor {

namespace {
constexpr size_t kMaxLineBytes = 500;
}

void LogFile::Write(std::string_view bytes) {
  KeepLastLine(bytes);
  while (!bytes.empty()) {
    if (!fd_ || size_ >= max_bytes_) Rotate();
    if (!fd_) return;
    const std::string_view piece = bytes.substr(0, max_bytes_ - size_);
    if (!WriteFully(fd_.get(), piece)) return;
    size_ += piece.size();
    bytes.remove_prefix(piece.size());
  }
}

// Opens the file at first; later moves the full one away.
void LogFile::Rotate() {
  if (fd_) {
    fd_.Reset();
    std::rename(path_.c_str(), (path_ + ".1").c_str());
  }
  fd_ =
      UniqueFd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640));
  struct stat info {};
  size_ = fd_ && ::fstat(fd_.get(), &info) == 0 ? static_cast<size_t>(info.st_size) : 0;
  if (size_ >= max_bytes_) {
    fd_.Reset();
    std::rename(path_.c_str(), (path_ + ".1").c_str());
    fd_ = UniqueFd(
        ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
    size_ = 0;
  }
}

void LogFile::KeepLastLine(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    partial_.append(piece.substr(0, kMaxLineBytes - partial_.size()));
    if (end == std::string_view::npos) return;
    if (!partial_.empty()) last_line_ = OneLine(partial_);
    partial_.clear();
    bytes.remove_prefix(end + 1);
  }
}

}  // namespace skerry::supervisor
