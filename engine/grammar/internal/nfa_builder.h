// From expressions to the automaton.
#pragma once

#include "appliance/base/result.h"
#include "engine/grammar/internal/expression.h"
#include "engine/grammar/internal/nfa.h"

namespace skerry::engine::internal {

struct NfaLimits {
  static constexpr size_t kMaxStates = 1 << 18;
  static constexpr size_t kMaxSteps = 1 << 22;  // expressions visited: shared ones count each time
  static constexpr uint32_t kMaxDepth = 1000;   // of expressions in expressions
  static constexpr uint32_t kMaxRepeat = 1 << 20;
  static constexpr uint32_t kMaxFrames = 256;      // on the stack of one text
  static constexpr uint32_t kMaxEmptyRepeat = 64;  // of what may be empty
};

// Every state of the result can come to an end. kInvalidArgument when nothing matches, for rules
// that begin with themselves (named), and for what may be empty but is counted too far; kExhausted
// beyond the limits.
Result<Nfa> BuildNfa(const GrammarSource& source);

}  // namespace skerry::engine::internal
