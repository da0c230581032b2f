// A regular expression as a program for a machine with threads of unequal rank (Pike's), and the
// reader of the notation.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/unicode/char_set.h"

namespace skerry::engine::internal {

using unicode::CharSet;

struct RegexLimits {
  static constexpr size_t kMaxPatternBytes = 16 << 10;
  static constexpr size_t kMaxInstructions = 1 << 14;
  static constexpr size_t kMaxSets = 256;
  static constexpr int kMaxRepeat = 1000;
  static constexpr int kMaxDepth = 64;
};

struct RegexInstruction {
  enum class Kind : uint8_t {
    kChar,   // one character of `set`, then `next`
    kCheck,  // the next character is in `set` (or the text ends and `at_end`), then `next`
    kSplit,  // `next` first, `other` when that leads nowhere
    kMatch,
  };
  Kind kind = Kind::kMatch;
  bool at_end = false;
  uint16_t set = 0;
  uint32_t next = 0;
  uint32_t other = 0;
};

struct RegexProgram {
  std::vector<RegexInstruction> instructions;
  std::vector<CharSet> sets;
  uint32_t start = 0;
};

// Notation: that of Oniguruma's Ruby syntax as tokenizer files use it. Alternatives in order,
// groups, (?i:...), classes with \p{...}, ranges, negation and &&, the repetitions ? * + {n,m} with
// their reluctant forms, possessive ones of one character, look-ahead of one character, $.
// kInvalidArgument naming the place for anything else.
Result<RegexProgram> ParseRegex(std::string_view pattern);

}  // namespace skerry::engine::internal
