// The shape of a whole answer as one grammar: thoughts first, then free text, a constrained text or
// tool calls whose arguments obey their schemas. One Matcher holds from the first token to the
// last, so a token that reaches over a border is judged on both sides of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/grammar/grammar.h"

namespace skerry::engine {

// What a text must be.
struct TextRule {
  enum class Kind {
    kFree,        // anything
    kAnyObject,   // any JSON object
    kJsonSchema,  // `text` is a schema
    kRegex,       // `text` is a pattern
    kEbnf,        // `text` is a grammar
    kChoice,      // one of `choices`
  };
  Kind kind = Kind::kFree;
  std::string text;
  std::vector<std::string> choices;
};

// Errors as those of the reader that the kind needs.
Result<Grammar> CompileText(const TextRule& rule);

// Text with control tokens in it. A name is one of the vocabulary's where
// Tokenizer::IsControl(FindControl(name)); other added tokens are text.
struct MarkerPart {
  bool control = false;
  std::string text;          // or the control token's name
  std::string pattern = {};  // instead of text: what matches this regular expression
};
using Marker = std::vector<MarkerPart>;

// Calls are written BEGIN call SEPARATOR call ... END, and a call is HEAD arguments TAIL. BEGIN
// does not begin with a pattern, and neither does a HEAD where BEGIN is empty.
struct CallShape {
  struct Tool {
    Marker head;             // names the tool
    std::string parameters;  // JSON schema of the arguments; empty: any object
    Marker tail;
  };
  Marker begin;  // empty: calls are the whole answer, told from text by their first byte
  std::vector<Tool> tools;
  Marker separator;
  Marker end;
  bool required = false;  // else the answer may be text without a call
  bool several = true;    // calls in one answer
  // Whether text may come before the calls. Never behind them.
  bool text_before = true;
};

struct AnswerShape {
  // Where thoughts end. Empty: there are none.
  Marker thoughts_end;
  // Where they begin. Empty, with `thoughts_end`: the prompt has begun them, and they must be
  // ended. Else the answer need not have any.
  Marker thoughts_begin;
  // Calls; where they are not required, also a text without calls that obeys `text`. A rule other
  // than kFree leaves no text in front of calls.
  std::optional<CallShape> calls;
  TextRule text;
};

// kInvalidArgument, naming the tool by its number, for a schema that is not supported; as
// CompileText.
Result<Grammar> CompileAnswer(const AnswerShape& shape);

// A text that differs between any two shapes, or rules, of which different grammars come: a key for
// ConstraintCache.
std::string KeyOf(const AnswerShape& shape);
std::string KeyOf(const TextRule& rule);

}  // namespace skerry::engine
