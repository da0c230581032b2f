// Tool calls in an answer, in the notations that models were trained on, told from its text while
// it is generated.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/chat/message.h"

namespace skerry::engine {

enum class ToolNotation {
  kNone,
  kMistralList,   // [TOOL_CALLS][{"name": ..., "arguments": {...}}, ...]: versions 2 to 7
  kMistralNamed,  // [TOOL_CALLS]name[ARGS]{...}[TOOL_CALLS]...: version 11 and later
  kHermes,        // <tool_call>{"name": ..., "arguments": {...}}</tool_call>: Hermes, Qwen
  kLlama,         // {"name": ..., "parameters": {...}} as the whole answer: Llama 3
};

std::string_view ToolNotationName(ToolNotation notation);

// The notation that a chat template teaches; kNone when it is none of these.
ToolNotation RecognizeNotation(std::string_view chat_template);

// Control tokens the notation is made of. They may be generated where tools are offered.
std::vector<std::string_view> NotationTokens(ToolNotation notation);

// The beginning of an answer that is a call of the tool `name`, or of any tool when it is empty:
// control tokens by name, and text between them.
struct NotationPart {
  bool control = false;
  std::string text;
};
std::vector<NotationPart> ForcedCall(ToolNotation notation, std::string_view name);

// One answer's reader. One thread. A call has one of the offered names (no list: any): a client
// must never be told to run what it did not offer. What is no proper call comes back as text.
class ToolCallReader {
 public:
  // Longest call; what is longer is text.
  static constexpr size_t kMaxBytes = 1 << 20;

  struct Step {
    std::string text;
    std::vector<ToolCall> calls;  // ids empty: the server gives its own
  };

  virtual ~ToolCallReader() = default;
  // What is certain after more of the answer's text.
  virtual Step Push(std::string_view text) = 0;
  // One of NotationTokens was generated.
  virtual Step Mark(std::string_view token) = 0;
  // The rest of the text. `cut`: the answer ended by its length, so a call that was begun is
  // dropped; otherwise it is text.
  virtual Step Finish(bool cut) = 0;
};

// Never null; for kNone everything is text.
std::unique_ptr<ToolCallReader> MakeToolCallReader(ToolNotation notation,
                                                   std::vector<std::string> offered);

}  // namespace skerry::engine
