// A log of bounded size: what a child wrote, in FILE and, once that is full, FILE.1.
#pragma once

#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"

namespace skerry::supervisor {

// One thread.
class LogFile {
 public:
  // `path`: absolute. At most two files of `max_bytes` exist.
  LogFile(std::string path, size_t max_bytes) : path_(std::move(path)), max_bytes_(max_bytes) {}

  // Best effort: a full disk must not end the child that writes.
  void Write(std::string_view bytes);

  // The last whole non-empty line, control characters replaced, at most 500 bytes.
  const std::string& last_line() const { return last_line_; }
  // A new process begins to write.
  void ForgetLastLine() {
    partial_.clear();
    last_line_.clear();
  }

 private:
  void Rotate();
  void KeepLastLine(std::string_view bytes);

  const std::string path_;
  const size_t max_bytes_;
  UniqueFd fd_;
  size_t size_ = 0;
  std::string partial_;
  std::string last_line_;
};

}  // namespace skerry::supervisor
