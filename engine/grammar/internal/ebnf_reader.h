// From a client's grammar to expressions.
#pragma once

#include <string_view>

#include "appliance/base/result.h"
#include "engine/grammar/internal/expression.h"

namespace skerry::engine::internal {

// The texts of the grammar's root rule. Errors as CompileEbnf.
Result<ExprId> ReadEbnf(std::string_view text, GrammarSource& source);

}  // namespace skerry::engine::internal
