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
// What a reader has to keep of a file, and this walk has to pass.
constexpr uint64_t kMaxHeaderBytes = 1 << 30;
constexpr unsigned kScalarBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

Result<void> SkipScalar(Cursor& cursor, uint64_t type) {
  if (type == kGgufString) {
    const uint64_t length = TRY(cursor.Number(8));
    return cursor.Skip(length);
  }
  if (type != kGgufBool) return cursor.Skip(kScalarBytes[type]);
  const uint64_t value = TRY(cursor.Number(1));
  if (value > 1) return Bad("a bool that is neither 0 nor 1");
  return {};
}

Result<void> SkipArray(Cursor& cursor, const GgufArray& array) {
  if (array.type != kGgufString && array.type != kGgufBool) {
    return cursor.Skip(array.count * kScalarBytes[array.type]);
  }
  for (uint64_t i = 0; i < array.count; ++i) TRY(SkipScalar(cursor, array.type));
  return {};
}

// Names are used as C strings and shown on terminals.
bool IsKey(std::string_view key) {
  return !key.empty() &&
         std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

Result<GgufHeader> ReadGgufHeader(Cursor& cursor) {
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

Result<GgufArray> ReadGgufArrayHead(Cursor& cursor) {
  GgufArray array;
  array.type = TRY(cursor.Number(4));
  array.count = TRY(cursor.Number(8));
  if (array.type == kGgufArray) return Bad("an array of arrays, which no reader takes");
  if (array.type >= std::size(kScalarBytes)) {
    return Bad("unknown type " + std::to_string(array.type));
  }
  // A string has a length of 8 bytes.
  const uint64_t least = array.type == kGgufString ? 8 : kScalarBytes[array.type];
  if (array.count > (cursor.size() - cursor.position()) / least) {
    return Bad("an array is longer than the file");
  }
  return array;
}

Result<void> SkipGgufValue(Cursor& cursor, uint64_t type) {
  if (type >= std::size(kScalarBytes)) return Bad("unknown type " + std::to_string(type));
  if (type != kGgufArray) return SkipScalar(cursor, type);
  const GgufArray array = TRY(ReadGgufArrayHead(cursor));
  return SkipArray(cursor, array);
}

Result<void> WalkGgufKeys(Cursor& cursor, const GgufHeader& header, const TakeGgufValue& take) {
  std::set<std::string> keys;
  uint64_t key_bytes = 0;
  for (uint64_t i = 0; i < header.keys; ++i) {
    const std::string key = TRY(cursor.Text(kMaxKeyBytes));
    const std::string context = "key " + format::Quote(key);
    if (!IsKey(key)) return Bad(context + " must be printable ASCII without spaces");
    key_bytes += key.size();
    if (key_bytes > kMaxKeyBytesTogether) return Bad("its keys are longer than 4 MiB together");
    if (!keys.insert(key).second) return Bad(context + " occurs twice");
    const uint64_t type = TRY(cursor.Number(4));
    const bool taken = TRY(take(key, type, cursor).WithContext(context));
    if (!taken) TRY(SkipGgufValue(cursor, type).WithContext(context));
    if (cursor.position() > kMaxHeaderBytes) return Bad("its metadata are longer than 1 GiB");
  }
  return {};
}

}  // namespace skerry::inspect::internal
