// A forward walk through the head of a GGUF file: counts and metadata. It keeps 64 KiB of the file
// in memory and what the caller takes out.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "appliance/base/result.h"
#include "bundler/inspect/internal/cursor.h"

namespace skerry::inspect::internal {

// Types of metadata values, docs/gguf.md.
inline constexpr uint64_t kGgufU16 = 2, kGgufU32 = 4, kGgufI32 = 5, kGgufF32 = 6, kGgufU64 = 10;
inline constexpr uint64_t kGgufBool = 7, kGgufString = 8, kGgufArray = 9;

struct GgufHeader {
  uint64_t tensors = 0;
  uint64_t keys = 0;
};

// From the beginning of the file.
Result<GgufHeader> ReadGgufHeader(Cursor& cursor);

struct GgufArray {
  uint64_t type = 0;
  uint64_t count = 0;
};

// At a value of type kGgufArray: what it holds. Not an array again, and no more than the file has.
Result<GgufArray> ReadGgufArrayHead(Cursor& cursor);
// Past a value of `type`; kCorrupt for one that is not well-formed.
Result<void> SkipGgufValue(Cursor& cursor, uint64_t type);

// Called with each key and the type of its value, the cursor at the value: true when the value was
// read, false to have it skipped.
using TakeGgufValue =
    std::function<Result<bool>(const std::string& key, uint64_t type, Cursor& cursor)>;

// All keys behind the header; kCorrupt, naming the key, for what is not well-formed or occurs
// twice.
Result<void> WalkGgufKeys(Cursor& cursor, const GgufHeader& header, const TakeGgufValue& take);

}  // namespace skerry::inspect::internal
