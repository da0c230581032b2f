// UTF-8 in small steps: what detokenising and encoding need to know about possibly broken bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace skerry::engine {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

enum class Utf8Kind { kComplete, kIncomplete, kInvalid };

struct Utf8Step {
  Utf8Kind kind;
  size_t length;  // bytes of the character, of the cut-off start of one, or of the ill-formed part
};

// The first character of `bytes` (not empty). Ill-formed parts are the maximal subparts of the
// Unicode Standard, section 3.9; kIncomplete only when more bytes could complete the character.
Utf8Step NextUtf8(std::string_view bytes);

bool IsValidUtf8(std::string_view bytes);

// `bytes` with every ill-formed part replaced by U+FFFD.
std::string ToValidUtf8(std::string_view bytes);

}  // namespace skerry::engine
