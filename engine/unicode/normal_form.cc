#include "engine/unicode/normal_form.h"

#include <algorithm>
#include <vector>

#include "engine/unicode/code_points.h"
#include "engine/unicode/tables.h"

namespace skerry::engine::unicode {
namespace {

// Hangul syllables: the Unicode Standard, section 3.12.
constexpr uint32_t kSyllables = 0xAC00;
constexpr uint32_t kLeads = 0x1100;
constexpr uint32_t kVowels = 0x1161;
constexpr uint32_t kTails = 0x11A7;
constexpr uint32_t kLeadCount = 19;
constexpr uint32_t kVowelCount = 21;
constexpr uint32_t kTailCount = 28;
constexpr uint32_t kSyllableCount = kLeadCount * kVowelCount * kTailCount;

bool IsSyllable(uint32_t c) { return c >= kSyllables && c < kSyllables + kSyllableCount; }

bool IsCompatible(NormalForm form) {
  return form == NormalForm::kNfkc || form == NormalForm::kNfkd;
}
bool Composes(NormalForm form) { return form == NormalForm::kNfc || form == NormalForm::kNfkc; }

// What a character does, one bit each; the first four by NormalForm: that form changes it.
constexpr uint8_t kMoves = 1 << 4;          // has a combining class
constexpr uint8_t kJoinsPrevious = 1 << 5;  // may be the second of a composition

constexpr uint8_t Changes(NormalForm form) {
  return static_cast<uint8_t>(1 << static_cast<int>(form));
}

struct Facts {
  std::vector<uint8_t> bits;
  std::vector<uint8_t> classes;
};

const Decomposition* Find(const Decomposition* table, size_t count, uint32_t c) {
  const Decomposition* at =
      std::lower_bound(table, table + count, c,
                       [](const Decomposition& d, uint32_t value) { return d.code < value; });
  return at != table + count && at->code == c ? at : nullptr;
}

Facts Collect() {
  Facts facts;
  facts.bits.resize(kCodePoints);
  facts.classes.resize(kCodePoints);
  for (size_t i = 0; i < kCombiningClassesCount; ++i) {
    const ValueRange& range = kCombiningClasses[i];
    for (uint32_t c = range.first; c <= range.last; ++c) {
      facts.bits[c] |= kMoves;
      facts.classes[c] = range.value;
    }
  }
  const auto mark = [&](const CharRange* ranges, size_t count, NormalForm form) {
    for (size_t i = 0; i < count; ++i) {
      for (uint32_t c = ranges[i].first; c <= ranges[i].last; ++c) facts.bits[c] |= Changes(form);
    }
  };
  mark(kChangesNfc, kChangesNfcCount, NormalForm::kNfc);
  mark(kChangesNfd, kChangesNfdCount, NormalForm::kNfd);
  mark(kChangesNfkc, kChangesNfkcCount, NormalForm::kNfkc);
  mark(kChangesNfkd, kChangesNfkdCount, NormalForm::kNfkd);
  for (size_t i = 0; i < kCompositionsCount; ++i) {
    facts.bits[kCompositions[i].second] |= kJoinsPrevious;
  }
  for (uint32_t i = 0; i < kVowelCount; ++i) facts.bits[kVowels + i] |= kJoinsPrevious;
  for (uint32_t i = 1; i < kTailCount; ++i) facts.bits[kTails + i] |= kJoinsPrevious;
  return facts;
}

const Facts& AllFacts() {
  static const Facts facts = Collect();
  return facts;
}

void AppendDecomposed(uint32_t c, bool compatible, std::vector<uint32_t>& out) {
  if (IsSyllable(c)) {
    const uint32_t i = c - kSyllables;
    out.push_back(kLeads + i / (kVowelCount * kTailCount));
    out.push_back(kVowels + i % (kVowelCount * kTailCount) / kTailCount);
    if (i % kTailCount != 0) out.push_back(kTails + i % kTailCount);
    return;
  }
  if (compatible) {
    if (const Decomposition* found = Find(kCompatible, kCompatibleCount, c)) {
      const uint32_t* from = kCompatiblePool + found->start;
      out.insert(out.end(), from, from + found->length);
      return;
    }
  }
  if (const Decomposition* found = Find(kCanonical, kCanonicalCount, c)) {
    const uint32_t* from = kCanonicalPool + found->start;
    out.insert(out.end(), from, from + found->length);
    return;
  }
  out.push_back(c);
}

// Marks in the order of their classes; those of one class stay as they are.
void Order(std::vector<uint32_t>& chars) {
  const Facts& facts = AllFacts();
  for (size_t i = 0; i < chars.size();) {
    if (facts.classes[chars[i]] == 0) {
      ++i;
      continue;
    }
    size_t end = i + 1;
    while (end < chars.size() && facts.classes[chars[end]] != 0) ++end;
    std::stable_sort(chars.begin() + static_cast<std::ptrdiff_t>(i),
                     chars.begin() + static_cast<std::ptrdiff_t>(end),
                     [&](uint32_t a, uint32_t b) { return facts.classes[a] < facts.classes[b]; });
    i = end;
  }
}

// 0: they do not compose.
uint32_t Composed(uint32_t first, uint32_t second) {
  if (first >= kLeads && first < kLeads + kLeadCount && second >= kVowels &&
      second < kVowels + kVowelCount) {
    return kSyllables + ((first - kLeads) * kVowelCount + second - kVowels) * kTailCount;
  }
  if (IsSyllable(first) && (first - kSyllables) % kTailCount == 0 && second > kTails &&
      second < kTails + kTailCount) {
    return first + second - kTails;
  }
  if ((AllFacts().bits[second] & kJoinsPrevious) == 0) return 0;
  const Composition wanted{first, second, 0};
  const Composition* at =
      std::lower_bound(kCompositions, kCompositions + kCompositionsCount, wanted,
                       [](const Composition& a, const Composition& b) {
                         return a.first != b.first ? a.first < b.first : a.second < b.second;
                       });
  const bool found =
      at != kCompositions + kCompositionsCount && at->first == first && at->second == second;
  return found ? at->composed : 0;
}

void Compose(std::vector<uint32_t>& chars) {
  const Facts& facts = AllFacts();
  size_t kept = 0;
  size_t starter = chars.size();  // none yet
  uint8_t last_class = 0;
  for (const uint32_t c : chars) {
    const uint8_t own = facts.classes[c];
    // Blocked: a character of the same or a higher class, or a starter, stands between.
    const bool adjacent = starter + 1 == kept;
    if (starter < kept && (adjacent || (last_class != 0 && last_class < own))) {
      if (const uint32_t composed = Composed(chars[starter], c)) {
        chars[starter] = composed;
        continue;
      }
    }
    if (own == 0) starter = kept;
    last_class = own;
    chars[kept++] = c;
  }
  chars.resize(kept);
}

const CaseRun* FindRun(const CaseRun* runs, size_t count, uint32_t c) {
  const CaseRun* run = std::upper_bound(
      runs, runs + count, c, [](uint32_t value, const CaseRun& r) { return value < r.first; });
  if (run == runs || c > run[-1].last || (c - run[-1].first) % run[-1].step != 0) return nullptr;
  return run - 1;
}

}  // namespace

bool StartsSegment(uint32_t c, NormalForm form) {
  if (c < 0x80 || c >= kCodePoints) return true;
  const auto joins = static_cast<uint8_t>(Composes(form) ? kJoinsPrevious : 0);
  return (AllFacts().bits[c] & (kMoves | joins | Changes(form))) == 0;
}

std::string Normalize(std::string_view text, NormalForm form) {
  std::string out;
  out.reserve(text.size());
  std::vector<uint32_t> chars;
  // Whole segments: a character that is what it is, and behind it those that are not.
  size_t last_start = 0;  // of the character before `at`
  size_t copied = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    if (StartsSegment(NextCodePoint(text, &at), form)) {
      last_start = start;
      continue;
    }
    out += text.substr(copied, last_start - copied);
    chars.clear();
    for (size_t i = last_start; i < at;) {
      AppendDecomposed(NextCodePoint(text, &i), IsCompatible(form), chars);
    }
    while (at < text.size()) {
      size_t next = at;
      const uint32_t c = NextCodePoint(text, &next);
      if (StartsSegment(c, form)) break;
      AppendDecomposed(c, IsCompatible(form), chars);
      at = next;
    }
    Order(chars);
    if (Composes(form)) Compose(chars);
    for (const uint32_t c : chars) AppendCodePoint(c, out);
    copied = last_start = at;
  }
  out += text.substr(copied);
  return out;
}

void AppendLower(uint32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return;
  }
  for (size_t i = 0; i < kToLowerSpecialCount; ++i) {
    if (kToLowerSpecial[i].from != c) continue;
    for (const uint32_t to : kToLowerSpecial[i].to) {
      if (to != 0) AppendCodePoint(to, out);
    }
    return;
  }
  AppendCodePoint(SimpleLower(c), out);
}

uint32_t SimpleUpper(uint32_t c) {
  const CaseRun* run = FindRun(kToUpper, kToUpperCount, c);
  return run == nullptr ? c : c + static_cast<uint32_t>(run->delta);
}

uint32_t SimpleLower(uint32_t c) {
  const CaseRun* run = FindRun(kToLower, kToLowerCount, c);
  return run == nullptr ? c : c + static_cast<uint32_t>(run->delta);
}

}  // namespace skerry::engine::unicode
