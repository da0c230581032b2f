// Reads whole members of an archive, forwards: the header is rebuilt and compared, the padding must
// be zero.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::reader {

// Exactly `size` bytes at `offset`; kCorrupt when the file ends before.
Result<std::string> ReadText(const File& file, uint64_t offset, uint64_t size);

bool AllZero(std::span<const uint8_t> bytes);

class MemberReader {
 public:
  MemberReader(const File& file, uint64_t position) : file_(file), position_(position) {}

  uint64_t position() const { return position_; }

  // The name of the next member, not checked.
  Result<std::string> ClaimedName() const;
  // The next member, which must be `name` and may have up to `max_bytes`.
  Result<std::string> Next(std::string_view name, uint64_t max_bytes);
  // The next member, which must be `name` with `size` bytes.
  Result<std::string> Exactly(std::string_view name, uint64_t size);

 private:
  Result<std::string> Content(std::string_view name, uint64_t size, uint64_t header_bytes);

  const File& file_;
  uint64_t position_;
};

}  // namespace skerry::reader
