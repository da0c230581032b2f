// Regular expressions as JSON schemas and clients write them: what ECMA-262, Python and PCRE have
// in common, read as a description of texts. Groups, alternatives, classes, escapes, \p{..} with
// general categories, repetitions (reluctant ones mean the same here), ^ and $ at the ends, (?i).
#pragma once

#include <string_view>

#include "appliance/base/result.h"
#include "engine/grammar/internal/expression.h"

namespace skerry::engine::internal {

struct RegexSyntaxLimits {
  static constexpr size_t kMaxBytes = 16 << 10;
  static constexpr int kMaxDepth = 100;
};

enum class RegexMeaning {
  kWhole,   // the text is a match
  kSearch,  // the text has a match somewhere
};

// kInvalidArgument naming the place for what is not supported (looking ahead or behind, back
// references, word borders, ^ and $ elsewhere) and for what means different things to different
// programs.
Result<ExprId> ParseRegexSyntax(std::string_view pattern, RegexMeaning meaning,
                                GrammarSource& source);

}  // namespace skerry::engine::internal
