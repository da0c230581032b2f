// Shape of the generated tables in unicode_tables.cc; all sorted by code point.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skerry::engine::jinja {

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

#define SKERRY_JINJA_TABLE(type, name) \
  extern const type name[];            \
  extern const size_t name##Count
SKERRY_JINJA_TABLE(CharRange, kAlpha);
SKERRY_JINJA_TABLE(CharRange, kDecimal);
SKERRY_JINJA_TABLE(CharRange, kDigit);
SKERRY_JINJA_TABLE(CharRange, kNumeric);
SKERRY_JINJA_TABLE(CharRange, kPrintable);
SKERRY_JINJA_TABLE(CharRange, kUpper);
SKERRY_JINJA_TABLE(CharRange, kLower);
SKERRY_JINJA_TABLE(CharRange, kCaseIgnorable);
SKERRY_JINJA_TABLE(CharRange, kCased);
SKERRY_JINJA_TABLE(CaseRun, kToUpper);
SKERRY_JINJA_TABLE(CaseSpecial, kToUpperSpecial);
SKERRY_JINJA_TABLE(CaseRun, kToLower);
SKERRY_JINJA_TABLE(CaseSpecial, kToLowerSpecial);
SKERRY_JINJA_TABLE(CaseRun, kToTitle);
SKERRY_JINJA_TABLE(CaseSpecial, kToTitleSpecial);
#undef SKERRY_JINJA_TABLE

}  // namespace skerry::engine::jinja
