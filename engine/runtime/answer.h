// From generated tokens to what a client sees: text in whole characters, ended by stop strings, and
// tool calls instead of the model's notation for them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/chat/tool_call_parser.h"
#include "engine/sampler/stop_strings.h"
#include "engine/tokenizer/detokenizer.h"

namespace skerry::engine {

struct AnswerOptions {
  bool strip_leading_space = false;
  std::vector<std::string> stop_strings;
  std::optional<TokenId> tool_call_token;  // set: what follows this token is a list of calls
  std::vector<std::string> offered_tools;  // the only names a call may have; empty: any
  size_t max_calls = SIZE_MAX;             // the answer ends after so many
};

// One answer. One thread. The tokenizer must outlive it.
class Answer {
 public:
  struct Delta {
    std::string text;
    std::vector<ToolCall> calls;  // ids empty
    bool ended = false;           // by a stop string or the last call wanted
  };

  Answer(const Tokenizer& tokenizer, AnswerOptions options);

  Delta Push(TokenId token);
  // The rest. `cut`: the answer ended by its length; an unfinished call is then dropped, while text
  // that was no proper call otherwise is shown as text.
  Delta Finish(bool cut);

  bool has_calls() const { return n_calls_ > 0; }

 private:
  void PushText(const std::string& text, Delta& delta);
  void PushCalls(const std::string& text, Delta& delta);

  const Tokenizer* tokenizer_;
  AnswerOptions options_;
  Detokenizer detokenizer_;
  StopStrings stops_;
  std::optional<ToolCallParser> calls_;  // set once calls have begun
  size_t n_calls_ = 0;
  bool ended_ = false;
};

}  // namespace skerry::engine
