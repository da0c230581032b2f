#include "bundler/inspect/internal/gguf_walk.h"

#include <algorithm>
#include <set>

#include "bundler/format/names.h"

namespace skerry::inspect::internal {

namespace {

constexpr uint64_t kMaxKeys = 1 << 16;
constexpr uint64_t kMaxTensors = 1 << 18;
constexpr uint64_t kMaxKeyBytes = 65535;            // docs/gguf.md
constexpr uint64_t kMaxKeyBytesTogether = 4 << 20;  // they are all in memory at once
constexpr int kMaxArrayDepth = 3;
constexpr unsigned kScalarBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

Result<void> SkipValue(GgufCursor& cursor, uint64_t type, int depth) {
  if (type == kGgufString) {
    const uint64_t length = TRY(cursor.Number(8));
    return cursor.Skip(length);
  }
  if (type != kGgufArray) {
    if (type >= std::size(kScalarBytes)) return Bad("unknown type " + std::to_string(type));
    if (type != kGgufBool) return cursor.Skip(kScalarBytes[type]);
    const uint64_t value = TRY(cursor.Number(1));
    if (value > 1) return Bad("a bool that is neither 0 nor 1");
    return {};
  }
  if (depth >= kMaxArrayDepth) return Bad("arrays nested too deeply");
  const uint64_t element = TRY(cursor.Number(4));
  const uint64_t count = TRY(cursor.Number(8));
  if (element >= std::size(kScalarBytes)) return Bad("unknown type " + std::to_string(element));
  if (element != kGgufString && element != kGgufArray && element != kGgufBool) {
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(count, uint64_t{kScalarBytes[element]}, &bytes)) {
      return Bad("an array's size overflows");
    }
    return cursor.Skip(bytes);
  }
  // Each element takes at least one byte, so the loop is bounded by the file.
  if (count > cursor.size() - cursor.position()) return Bad("an array is longer than the file");
  for (uint64_t i = 0; i < count; ++i) TRY(SkipValue(cursor, element, depth + 1));
  return {};
}

}  // namespace

Result<void> GgufCursor::Skip(uint64_t count) {
  if (count > size_ - position_) return Bad("it ends in the middle of its header");
  position_ += count;
  return {};
}

Result<uint64_t> GgufCursor::Number(unsigned width) {
  uint8_t bytes[8];
  TRY(Read({bytes, width}));
  uint64_t value = 0;
  for (unsigned i = width; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

Result<std::string> GgufCursor::Text(uint64_t max_bytes) {
  const uint64_t length = TRY(Number(8));
  if (length > max_bytes) {
    return Bad("a string of " + std::to_string(length) + " bytes where " +
               std::to_string(max_bytes) + " are allowed");
  }
  return Bytes(length);
}

Result<std::string> GgufCursor::Bytes(uint64_t count) {
  if (count > size_ - position_) return Bad("it ends in the middle of its header");
  std::string text(count, '\0');
  TRY(Read({reinterpret_cast<uint8_t*>(text.data()), text.size()}));
  return text;
}

Result<void> GgufCursor::Read(std::span<uint8_t> out) {
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

Result<GgufHeader> ReadGgufHeader(GgufCursor& cursor) {
  constexpr uint64_t kMagic = 0x46554747;  // "GGUF", little-endian
  const Result<uint64_t> magic = cursor.Number(4);
  if (!magic || *magic != kMagic) return Bad("it is not a GGUF file");
  const uint64_t version = TRY(cursor.Number(4));
  if (version != 2 && version != 3) {
    return Bad("GGUF version " + std::to_string(version) + " is not supported; 2 and 3 are");
  }
  GgufHeader header;
  header.tensors = TRY(cursor.Number(8));
  header.keys = TRY(cursor.Number(8));
  if (header.tensors > kMaxTensors || header.keys > kMaxKeys) {
    return Bad("it claims " + std::to_string(header.tensors) + " tensors and " +
               std::to_string(header.keys) + " keys, which is absurd");
  }
  return header;
}

Result<void> WalkGgufKeys(GgufCursor& cursor, const GgufHeader& header, const TakeGgufValue& take) {
  std::set<std::string> keys;
  uint64_t key_bytes = 0;
  for (uint64_t i = 0; i < header.keys; ++i) {
    const std::string key = TRY(cursor.Text(kMaxKeyBytes));
    const std::string context = "key " + format::Quote(key);
    key_bytes += key.size();
    if (key_bytes > kMaxKeyBytesTogether) return Bad("its keys are longer than 4 MiB together");
    if (!keys.insert(key).second) return Bad(context + " occurs twice");
    const uint64_t type = TRY(cursor.Number(4));
    const bool taken = TRY(take(key, type, cursor).WithContext(context));
    if (!taken) TRY(SkipValue(cursor, type, 0).WithContext(context));
  }
  return {};
}

}  // namespace skerry::inspect::internal
