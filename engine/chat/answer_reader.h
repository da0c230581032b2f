// What a model wrote, told apart while it is generated: its thoughts, its answer, and calls of
// tools. How it marks them is its notation; where the notation is made of tokens, text is never
// taken for it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/chat/message.h"
#include "engine/chat/reasoning.h"
#include "engine/chat/tool_notation.h"

namespace skerry::engine {

// One answer's reader. One thread. However the text is cut into pieces, the same comes out. A call
// has one of the offered names: a client must never be told to run what it did not offer. What is
// no proper call comes back as text.
class AnswerReader {
 public:
  // Longest call; what is longer is text.
  static constexpr size_t kMaxBytes = 1 << 20;

  struct Step {
    std::string reasoning;
    std::string text;
    std::vector<ToolCall> calls;  // ids empty: the server gives its own
  };

  virtual ~AnswerReader() = default;
  // What is certain after more of the answer's text.
  virtual Step Push(std::string_view text) = 0;
  // One of the notation's tokens was generated.
  virtual Step Mark(std::string_view token) = 0;
  // The rest. `cut`: the answer ended by its length, so a call that was begun is dropped; otherwise
  // it is text.
  virtual Step Finish(bool cut) = 0;
};

// A tool that the client offered: its name, and the JSON schema of its parameters where there is
// one.
struct OfferedTool {
  std::string name;
  std::string parameters = {};
};

// How an answer is to be read.
struct AnswerNotation {
  ReasoningNotation reasoning = ReasoningNotation::kNone;
  // The marks of the thoughts are tokens of the vocabulary; else they are text.
  bool reasoning_by_token = false;
  bool split_reasoning = true;  // of kHarmony: false makes thoughts a part of the text
  bool starts_inside = false;   // the prompt has begun the thoughts already
  ToolNotation tools = ToolNotation::kNone;
  std::vector<OfferedTool> offered;  // the only names a call may have; empty: any
};

// Names of all tokens that are to be given to Mark, where the vocabulary has them.
std::vector<std::string_view> MarkTokens(const AnswerNotation& notation);

// Never null.
std::unique_ptr<AnswerReader> MakeAnswerReader(const AnswerNotation& notation);

}  // namespace skerry::engine
