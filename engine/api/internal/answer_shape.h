// How a chat answer is laid out, as a grammar has to know it: thoughts, calls in the model's
// notation, text.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/api/answer_constraints.h"
#include "engine/chat/answer_reader.h"
#include "engine/chat/message.h"
#include "engine/tokenizer/tokenizer.h"

namespace skerry::engine::internal {

// What a request wants of a chat answer.
struct ChatWishes {
  std::vector<ToolDefinition> tools;  // that may be called; empty: none
  bool call_required = false;
  bool several_calls = true;
  TextRule text;  // what an answer must be that is no call
};

struct ChatLayout {
  std::optional<AnswerShape> shape;  // empty: nothing is constrained
  // The answer begins with these, and the shape is about what follows.
  std::vector<TokenId> begin;
  bool begins_as_call = false;  // the beginning of a call is to be forced in front, as ever
};

// Nothing for text that has to obey a rule where calls may come whose notation is no JSON: that
// cannot be promised.
std::optional<ChatLayout> LayOutChat(const Tokenizer& tokenizer, const AnswerNotation& reading,
                                     const ChatWishes& wishes);

}  // namespace skerry::engine::internal
