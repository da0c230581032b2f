// Texts that match a regular expression, from their first to their last character.
#pragma once

#include <string_view>

#include "appliance/base/result.h"
#include "engine/grammar/grammar.h"

namespace skerry::engine {

// kInvalidArgument naming the place of what is not supported (internal/regex_syntax.h), kExhausted
// for patterns that are too large.
Result<Grammar> CompileRegex(std::string_view pattern);

}  // namespace skerry::engine
