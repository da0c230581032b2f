// Shape of the generated tables; all sorted by code point.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skerry::engine::unicode {

struct CharRange {
  uint32_t first, last;
};
// first, first + step, ..., last change by `delta`.
struct CaseRun {
  uint32_t first, last;
  uint32_t step;
  int32_t delta;
};
// A character that becomes several; unused places are 0.
struct CaseSpecial {
  uint32_t from;
  uint32_t to[3];
};
// The characters of a range have one value.
struct ValueRange {
  uint32_t first, last;
  uint8_t value;
};
// `code` becomes `length` characters of the pool from `start` on.
struct Decomposition {
  uint32_t code;
  uint16_t start;
  uint16_t length;
};
// Two characters that become one.
struct Composition {
  uint32_t first, second;
  uint32_t composed;
};

// Values of kCategories: the general categories of the Unicode Standard by their short names.
enum : uint8_t {
  kCategoryCn,
  kCategoryLu,
  kCategoryLl,
  kCategoryLt,
  kCategoryLm,
  kCategoryLo,
  kCategoryMn,
  kCategoryMc,
  kCategoryMe,
  kCategoryNd,
  kCategoryNl,
  kCategoryNo,
  kCategoryPc,
  kCategoryPd,
  kCategoryPs,
  kCategoryPe,
  kCategoryPi,
  kCategoryPf,
  kCategoryPo,
  kCategorySm,
  kCategorySc,
  kCategorySk,
  kCategorySo,
  kCategoryZs,
  kCategoryZl,
  kCategoryZp,
  kCategoryCc,
  kCategoryCf,
  kCategoryCs,
  kCategoryCo,
};

#define SKERRY_UNICODE_TABLE(type, name) \
  extern const type name[];              \
  extern const size_t name##Count
// Python's str methods, for templates.
SKERRY_UNICODE_TABLE(CharRange, kAlpha);
SKERRY_UNICODE_TABLE(CharRange, kDecimal);
SKERRY_UNICODE_TABLE(CharRange, kDigit);
SKERRY_UNICODE_TABLE(CharRange, kNumeric);
SKERRY_UNICODE_TABLE(CharRange, kPrintable);
SKERRY_UNICODE_TABLE(CharRange, kUpper);
SKERRY_UNICODE_TABLE(CharRange, kLower);
SKERRY_UNICODE_TABLE(CharRange, kCaseIgnorable);
SKERRY_UNICODE_TABLE(CharRange, kCased);
SKERRY_UNICODE_TABLE(CaseRun, kToUpper);
SKERRY_UNICODE_TABLE(CaseSpecial, kToUpperSpecial);
SKERRY_UNICODE_TABLE(CaseRun, kToLower);
SKERRY_UNICODE_TABLE(CaseSpecial, kToLowerSpecial);
SKERRY_UNICODE_TABLE(CaseRun, kToTitle);
SKERRY_UNICODE_TABLE(CaseSpecial, kToTitleSpecial);
// Categories and normal forms. kCompatible has what it says beyond kCanonical; neither has Hangul
// syllables.
SKERRY_UNICODE_TABLE(ValueRange, kCategories);
SKERRY_UNICODE_TABLE(ValueRange, kCombiningClasses);
SKERRY_UNICODE_TABLE(Decomposition, kCanonical);
SKERRY_UNICODE_TABLE(uint32_t, kCanonicalPool);
SKERRY_UNICODE_TABLE(Decomposition, kCompatible);
SKERRY_UNICODE_TABLE(uint32_t, kCompatiblePool);
SKERRY_UNICODE_TABLE(Composition, kCompositions);
// Characters that are not what they are in that form.
SKERRY_UNICODE_TABLE(CharRange, kChangesNfc);
SKERRY_UNICODE_TABLE(CharRange, kChangesNfd);
SKERRY_UNICODE_TABLE(CharRange, kChangesNfkc);
SKERRY_UNICODE_TABLE(CharRange, kChangesNfkd);
SKERRY_UNICODE_TABLE(CharRange, kHan);  // Script=Han
#undef SKERRY_UNICODE_TABLE

}  // namespace skerry::engine::unicode
