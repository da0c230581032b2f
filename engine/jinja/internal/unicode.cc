#include "engine/jinja/internal/unicode.h"

#include <algorithm>

#include "engine/unicode/tables.h"

namespace skerry::engine::jinja {

namespace {

using namespace unicode;  // the tables

constexpr uint32_t kSigma = 0x3A3;
constexpr uint32_t kFinalSigma = 0x3C2;

bool InRanges(const CharRange* ranges, size_t count, uint32_t c) {
  const CharRange* at =
      std::upper_bound(ranges, ranges + count, c,
                       [](uint32_t value, const CharRange& range) { return value < range.first; });
  return at != ranges && c <= at[-1].last;
}

struct CaseTable {
  const CaseRun* runs;
  size_t n_runs;
  const CaseSpecial* specials;
  size_t n_specials;
};

CaseTable TableOf(Case wanted) {
  switch (wanted) {
    case Case::kUpper:
      return {kToUpper, kToUpperCount, kToUpperSpecial, kToUpperSpecialCount};
    case Case::kLower:
      return {kToLower, kToLowerCount, kToLowerSpecial, kToLowerSpecialCount};
    case Case::kTitle:
      break;
  }
  return {kToTitle, kToTitleCount, kToTitleSpecial, kToTitleSpecialCount};
}

// Behind a cased letter and not before one, ignorable characters between them aside.
bool IsFinal(std::string_view text, uint32_t at) {
  bool cased_before = false;
  for (uint32_t i = at; i > 0 && !cased_before;) {
    do --i;
    while (i > 0 && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80);
    uint32_t next = i;
    const uint32_t c = DecodeChar(text, &next);
    if (InRanges(kCaseIgnorable, kCaseIgnorableCount, c)) continue;
    if (!IsCased(c)) return false;
    cased_before = true;
  }
  if (!cased_before) return false;
  for (uint32_t i = at + CharBytes(text[at]); i < text.size();) {
    const uint32_t c = DecodeChar(text, &i);
    if (InRanges(kCaseIgnorable, kCaseIgnorableCount, c)) continue;
    return !IsCased(c);
  }
  return true;
}

char AsciiCased(char c, Case wanted) {
  if (wanted == Case::kLower) return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

}  // namespace

bool IsSpace(uint32_t c) {
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}
bool IsAlpha(uint32_t c) {
  if (c < 0x80) return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
  return InRanges(kAlpha, kAlphaCount, c);
}
bool IsDecimal(uint32_t c) { return InRanges(kDecimal, kDecimalCount, c); }
bool IsDigitChar(uint32_t c) { return InRanges(kDigit, kDigitCount, c); }
bool IsNumeric(uint32_t c) { return InRanges(kNumeric, kNumericCount, c); }
bool IsAlnum(uint32_t c) {
  if (c < 0x80) return IsAlpha(c) || (c >= '0' && c <= '9');
  return IsAlpha(c) || IsNumeric(c);
}
bool IsPrintable(uint32_t c) {
  if (c < 0x80) return c >= 0x20 && c < 0x7F;
  return InRanges(kPrintable, kPrintableCount, c);
}
bool IsUpper(uint32_t c) { return InRanges(kUpper, kUpperCount, c); }
bool IsLower(uint32_t c) { return InRanges(kLower, kLowerCount, c); }
bool IsCased(uint32_t c) { return InRanges(kCased, kCasedCount, c); }

std::string_view TrimSpaceLeft(std::string_view text) {
  uint32_t at = 0;
  while (at < text.size()) {
    uint32_t next = at;
    if (!IsSpace(DecodeChar(text, &next))) break;
    at = next;
  }
  return text.substr(at);
}

std::string_view TrimSpaceRight(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    size_t begin = end - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
    uint32_t next = static_cast<uint32_t>(begin);
    if (!IsSpace(DecodeChar(text, &next))) break;
    end = begin;
  }
  return text.substr(0, end);
}

uint32_t AppendCased(TextBuilder* out, const Text& text, uint32_t at, Case wanted) {
  const bool request = text.RequestAt(at);
  if (static_cast<unsigned char>(text.data[at]) < 0x80) {
    const char c = AsciiCased(text.data[at], wanted);
    out->Append({&c, 1}, request);
    return at + 1;
  }
  uint32_t next = at;
  const uint32_t c = DecodeChar(text.view(), &next);
  const CaseTable table = TableOf(wanted);
  if (wanted == Case::kLower && c == kSigma && IsFinal(text.view(), at)) {
    out->Append(EncodeChar(kFinalSigma), request);
    return next;
  }
  const CaseSpecial* special =
      std::lower_bound(table.specials, table.specials + table.n_specials, c,
                       [](const CaseSpecial& s, uint32_t value) { return s.from < value; });
  if (special != table.specials + table.n_specials && special->from == c) {
    for (const uint32_t to : special->to) {
      if (to != 0) out->Append(EncodeChar(to), request);
    }
    return next;
  }
  const CaseRun* run =
      std::upper_bound(table.runs, table.runs + table.n_runs, c,
                       [](uint32_t value, const CaseRun& r) { return value < r.first; });
  const bool changes =
      run != table.runs && c <= run[-1].last && (c - run[-1].first) % run[-1].step == 0;
  out->Append(EncodeChar(changes ? c + static_cast<uint32_t>(run[-1].delta) : c), request);
  return next;
}

void AppendCasedAll(TextBuilder* out, const Text& text, Case wanted) {
  for (uint32_t at = 0; at < text.size;) at = AppendCased(out, text, at, wanted);
}

}  // namespace skerry::engine::jinja
