// A whole file mapped read-only. The store never changes a file in place, so the mapping stays
// valid; a file that is cut while mapped ends the process (SIGBUS), which is the accepted answer to
// a store that changes under a running engine.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"

namespace skerry::engine {

// What to do about a file of a checkpoint that is not whole, for the end of messages.
inline constexpr std::string_view kCopyAgain = "copy or download it again";

class MappedFile {
 public:
  // Follows symbolic links (a Hugging Face cache is made of them). kNotFound, kDenied, kIo;
  // kCorrupt for an empty file, kInvalidArgument for one that is not regular.
  static Result<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const uint8_t> bytes() const { return {data_, size_bytes_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_bytes_}; }
  const std::string& path() const { return path_; }

 private:
  MappedFile(UniqueFd fd, std::string path, const uint8_t* data, size_t size_bytes)
      : fd_(std::move(fd)), path_(std::move(path)), data_(data), size_bytes_(size_bytes) {}

  UniqueFd fd_;
  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t size_bytes_ = 0;
};

}  // namespace skerry::engine
