// What kind of character a code point is (Unicode 14).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/unicode/tables.h"

namespace skerry::engine::unicode {

// A set of general categories, one bit each: 1 << kCategoryLu, ...
using CategorySet = uint32_t;

inline constexpr CategorySet Bit(uint8_t category) { return CategorySet{1} << category; }
inline constexpr CategorySet kLetters =
    Bit(kCategoryLu) | Bit(kCategoryLl) | Bit(kCategoryLt) | Bit(kCategoryLm) | Bit(kCategoryLo);
inline constexpr CategorySet kMarks = Bit(kCategoryMn) | Bit(kCategoryMc) | Bit(kCategoryMe);
inline constexpr CategorySet kNumbers = Bit(kCategoryNd) | Bit(kCategoryNl) | Bit(kCategoryNo);
inline constexpr CategorySet kPunctuation = Bit(kCategoryPc) | Bit(kCategoryPd) | Bit(kCategoryPs) |
                                            Bit(kCategoryPe) | Bit(kCategoryPi) | Bit(kCategoryPf) |
                                            Bit(kCategoryPo);

// The general category, one of tables.h.
uint8_t CategoryOf(uint32_t c);
inline bool IsIn(uint32_t c, CategorySet set) { return (Bit(CategoryOf(c)) & set) != 0; }

// "L", "Lu", "P", ...; nullopt for a name that is none.
std::optional<CategorySet> CategoryByName(std::string_view name);

// Property White_Space.
inline bool IsWhiteSpace(uint32_t c) {
  if (c < 0x80) return (c >= 9 && c <= 13) || c == ' ';
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

// A letter, mark, decimal digit or connecting punctuation: what regular expressions call a word
// character.
inline bool IsWordChar(uint32_t c) {
  return IsIn(c, kLetters | kMarks | Bit(kCategoryNd) | Bit(kCategoryPc));
}

// Script=Han.
bool IsHan(uint32_t c);

}  // namespace skerry::engine::unicode
