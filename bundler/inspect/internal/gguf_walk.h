// A forward walk through the head of a GGUF file: counts and metadata. It keeps 64 KiB of the file
// in memory and what the caller takes out.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::inspect::internal {

// Types of metadata values, docs/gguf.md.
inline constexpr uint64_t kGgufU32 = 4, kGgufBool = 7, kGgufString = 8, kGgufArray = 9;

// Reads forward through a buffer; kCorrupt instead of passing the end of the file.
class GgufCursor {
 public:
  // Of `file`, which is `size` bytes long and outlives this.
  GgufCursor(const File& file, uint64_t size) : file_(file), size_(size), buffer_(kBufferBytes) {}

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

struct GgufHeader {
  uint64_t tensors = 0;
  uint64_t keys = 0;
};

// From the beginning of the file.
Result<GgufHeader> ReadGgufHeader(GgufCursor& cursor);

// Called with each key and the type of its value, the cursor at the value: true when the value was
// read, false to have it skipped.
using TakeGgufValue =
    std::function<Result<bool>(const std::string& key, uint64_t type, GgufCursor& cursor)>;

// All keys behind the header; kCorrupt, naming the key, for what is not well-formed or occurs
// twice.
Result<void> WalkGgufKeys(GgufCursor& cursor, const GgufHeader& header, const TakeGgufValue& take);

}  // namespace skerry::inspect::internal
