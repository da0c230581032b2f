// From generated tokens to what a client sees: text in whole characters, ended by stop strings,
// with thoughts and tool calls instead of the model's notation for them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/chat/answer_reader.h"
#include "engine/sampler/stop_strings.h"
#include "engine/tokenizer/detokenizer.h"

namespace skerry::engine {

struct AnswerOptions {
  bool strip_leading_space = false;
  std::vector<std::string> stop_strings;
  int32_t min_tokens = 0;  // stop strings are looked for in the text behind the first so many
  AnswerNotation reading;
  size_t max_calls = SIZE_MAX;  // the answer ends after so many
};

// One answer. One thread. The tokenizer must outlive it.
class Answer {
 public:
  struct Delta {
    std::string reasoning;  // stop strings do not look at it
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
  void Add(AnswerReader::Step step, Delta& delta);
  void Add(const std::string& text, Delta& delta);

  const Tokenizer* tokenizer_;
  AnswerOptions options_;
  Detokenizer detokenizer_;
  StopStrings stops_;
  std::unique_ptr<AnswerReader> reader_;
  std::vector<TokenId> marks_;  // tokens of the notation
  size_t n_calls_ = 0;
  int64_t n_tokens_ = 0;
  bool ended_ = false;
};

}  // namespace skerry::engine
