// What the proxy needs to know of a request body, found without changing or keeping it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "appliance/base/result.h"

namespace skerry::proxy {

struct BodyFacts {
  std::optional<std::string> model;  // absent or null: none
  bool stream = false;
  std::optional<int64_t> max_tokens;  // of max_completion_tokens, else max_tokens
};

inline constexpr size_t kMaxBodyDepth = 128;
inline constexpr size_t kMaxBodyKeys = 100'000;  // of all its objects together

// `body` must be one JSON object in valid UTF-8 without a byte order mark and without a duplicate
// key at any depth: two parsers that disagree on which of two "model"s counts would disagree on who
// may use it. kInvalidArgument says what is wrong and where (a byte position, never content).
Result<BodyFacts> InspectBody(std::string_view body);

}  // namespace skerry::proxy
