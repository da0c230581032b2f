// Reading a file from its beginning to its end with 64 KiB of it in memory.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::inspect::internal {

// Reads forward through a buffer; kCorrupt instead of passing the end of the file.
class Cursor {
 public:
  // Of `file`, which is `size` bytes long and outlives this.
  Cursor(const File& file, uint64_t size) : file_(file), size_(size), buffer_(kBufferBytes) {}

  uint64_t position() const { return position_; }
  uint64_t size() const { return size_; }

  Result<void> Skip(uint64_t count);
  // `width` bytes, little-endian; at most 8.
  Result<uint64_t> Number(unsigned width);
  // A length of 8 bytes and that many bytes.
  Result<std::string> Text(uint64_t max_bytes);
  Result<std::string> Bytes(uint64_t count);

 private:
  static constexpr size_t kBufferBytes = 64 << 10;

  Result<void> Read(std::span<uint8_t> out);

  const File& file_;
  uint64_t size_;
  uint64_t position_ = 0;
  uint64_t start_ = 0;  // of the buffer's content in the file
  size_t filled_ = 0;
  std::vector<uint8_t> buffer_;
};

}  // namespace skerry::inspect::internal
