// Texts of a grammar that a client wrote: GBNF, as llama.cpp has it, and the simple part of Lark's
// notation.
//
//   root  ::= "(" list ")"          # the rule `root` (or `start`) is the whole text
//   list  ::= item ("," item){0,9}
//   item  ::= [a-z]+ | root | "yes"i | /[0-9]+/
//
// Lark: `name: ...` instead of `name ::= ...`, where [x] is an optional x; // comments, ~n and
// ~n..m,
// `-> alias`, ?rule. Not its directives (%import, %ignore), templates and priorities.
#pragma once

#include <string_view>

#include "appliance/base/result.h"
#include "engine/grammar/grammar.h"

namespace skerry::engine {

struct EbnfLimits {
  static constexpr size_t kMaxBytes = 256 << 10;
  static constexpr int kMaxDepth = 100;
};

// kInvalidArgument naming the line for what is not understood, for rules that are missing or begin
// with themselves; kExhausted beyond the limits.
Result<Grammar> CompileEbnf(std::string_view grammar);

}  // namespace skerry::engine
