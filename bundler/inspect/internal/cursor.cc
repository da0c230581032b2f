#include "bundler/inspect/internal/cursor.h"

#include <algorithm>

namespace skerry::inspect::internal {

namespace {

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

}  // namespace

Result<void> Cursor::Skip(uint64_t count) {
  if (count > size_ - position_) return Bad("it ends in the middle of its header");
  position_ += count;
  return {};
}

Result<uint64_t> Cursor::Number(unsigned width) {
  uint8_t bytes[8];
  TRY(Read({bytes, width}));
  uint64_t value = 0;
  for (unsigned i = width; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

Result<std::string> Cursor::Text(uint64_t max_bytes) {
  const uint64_t length = TRY(Number(8));
  if (length > max_bytes) {
    return Bad("a string of " + std::to_string(length) + " bytes where " +
               std::to_string(max_bytes) + " are allowed");
  }
  return Bytes(length);
}

Result<std::string> Cursor::Bytes(uint64_t count) {
  if (count > size_ - position_) return Bad("it ends in the middle of its header");
  std::string text(count, '\0');
  TRY(Read({reinterpret_cast<uint8_t*>(text.data()), text.size()}));
  return text;
}

Result<void> Cursor::Read(std::span<uint8_t> out) {
  if (out.size() > size_ - position_) return Bad("it ends in the middle of its header");
  while (!out.empty()) {
    if (position_ < start_ || position_ >= start_ + filled_) {
      start_ = position_;
      filled_ = TRY(file_.ReadAt(start_, buffer_));
      if (filled_ == 0) return Bad("it became shorter while it was read");
    }
    const size_t at = static_cast<size_t>(position_ - start_);
    const size_t count = std::min(out.size(), filled_ - at);
    std::copy_n(buffer_.begin() + static_cast<ptrdiff_t>(at), count, out.begin());
    out = out.subspan(count);
    position_ += count;
  }
  return {};
}

}  // namespace skerry::inspect::internal
