// Character classes and case of Python's str methods.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/jinja/internal/text.h"

namespace skerry::engine::jinja {

bool IsSpace(uint32_t c);
bool IsAlpha(uint32_t c);
bool IsDecimal(uint32_t c);
bool IsDigitChar(uint32_t c);
bool IsNumeric(uint32_t c);
bool IsAlnum(uint32_t c);
bool IsPrintable(uint32_t c);
bool IsUpper(uint32_t c);
bool IsLower(uint32_t c);
bool IsCased(uint32_t c);

std::string_view TrimSpaceLeft(std::string_view text);
std::string_view TrimSpaceRight(std::string_view text);

enum class Case : uint8_t { kUpper, kLower, kTitle };

// Appends the character at `at` of `text` in another case, with that character's origin, and
// returns where the next one begins. Lower case follows the rule for a final sigma.
uint32_t AppendCased(TextBuilder* out, const Text& text, uint32_t at, Case wanted);
// The whole text, every character in the wanted case.
void AppendCasedAll(TextBuilder* out, const Text& text, Case wanted);

}  // namespace skerry::engine::jinja
