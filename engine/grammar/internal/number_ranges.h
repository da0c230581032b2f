// Numbers between bounds, by their digits.
#pragma once

#include "engine/grammar/internal/expression.h"

namespace skerry::engine::internal {

struct NumberBounds;

// Whole numbers; nothing matches when there are none. Without a bound, up to 18 digits.
ExprId IntegerRange(GrammarSource& source, const NumberBounds& bounds);
// Decimal numbers without an exponent, up to 18 digits before the point; behind it as many as the
// bounds have, and 18 more.
ExprId DecimalRange(GrammarSource& source, const NumberBounds& bounds);

}  // namespace skerry::engine::internal
