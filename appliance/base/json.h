// Strict JSON (RFC 8259): what crosses a trust boundary is parsed here. Duplicate keys, invalid
// UTF-8, trailing bytes and documents beyond the limits are refused, because two parsers that
// disagree about such input are how checks are bypassed.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "appliance/base/result.h"

namespace skerry {

using Json = nlohmann::json;  // objects sorted by key

struct JsonLimits {
  size_t max_bytes = 1 << 20;
  size_t max_depth = 32;
  bool allow_floats = true;  // false: integers only, within +-(2^53 - 1)
};

// Parses the whole text. Error kCorrupt, naming the byte where it went wrong (never quoting
// content).
Result<Json> ParseJson(std::string_view text, const JsonLimits& limits = {});

// Compact text, keys sorted, UTF-8 as it is. The inverse of ParseJson for documents of ours.
std::string DumpJson(const Json& value);
// The same with every non-ASCII character escaped.
std::string DumpJsonAscii(const Json& value);

// Typed access to an object's fields; an absent or mistyped field is kInvalidArgument and is named.
Result<std::string> GetString(const Json& object, std::string_view key);
Result<int64_t> GetInt(const Json& object, std::string_view key);
Result<bool> GetBool(const Json& object, std::string_view key);
// Absent gives the default; a wrong type is still an error.
Result<std::string> GetStringOr(const Json& object, std::string_view key, std::string fallback);
Result<int64_t> GetIntOr(const Json& object, std::string_view key, int64_t fallback);
Result<bool> GetBoolOr(const Json& object, std::string_view key, bool fallback);
Result<double> GetNumberOr(const Json& object, std::string_view key, double fallback);

// kInvalidArgument naming the first key of `object` that is not in `known`.
Result<void> RefuseUnknownKeys(const Json& object, std::initializer_list<std::string_view> known);

}  // namespace skerry
