#include "engine/runtime/answer.h"

#include <algorithm>
#include <utility>

namespace skerry::engine {

Answer::Answer(const Tokenizer& tokenizer, AnswerOptions options)
    : tokenizer_(&tokenizer),
      options_(std::move(options)),
      detokenizer_(tokenizer, options_.strip_leading_space),
      stops_(options_.stop_strings),
      reader_(MakeAnswerReader(options_.reading)) {
  for (const std::string_view name : MarkTokens(options_.reading)) {
    if (const auto id = tokenizer.FindControl(name)) marks_.push_back(*id);
  }
}

void Answer::Add(const std::string& text, Delta& delta) {
  if (text.empty() || ended_) return;
  if (n_tokens_ <= options_.min_tokens) {
    delta.text += text;
    return;
  }
  StopStrings::Step step = stops_.Push(text);
  delta.text += step.text;
  ended_ = step.stopped;
}

// Thoughts of one step come before its text, and that before its calls.
void Answer::Add(AnswerReader::Step step, Delta& delta) {
  if (!ended_) delta.reasoning += step.reasoning;
  Add(step.text, delta);
  if (step.calls.empty() || ended_) return;
  delta.text += stops_.Finish();
  for (ToolCall& call : step.calls) {
    if (n_calls_ == options_.max_calls) break;
    delta.calls.push_back(std::move(call));
    ++n_calls_;
  }
  ended_ = n_calls_ >= options_.max_calls;
}

Answer::Delta Answer::Push(TokenId token) {
  Delta delta;
  if (ended_) {
    delta.ended = true;
    return delta;
  }
  ++n_tokens_;
  if (std::ranges::find(marks_, token) != marks_.end()) {
    Add(reader_->Push(detokenizer_.Finish()), delta);
    Add(reader_->Mark(tokenizer_->TokenName(token)), delta);
    detokenizer_ = Detokenizer(*tokenizer_, /*strip_leading_space=*/true);
  } else {
    Add(reader_->Push(detokenizer_.Push(token)), delta);
  }
  delta.ended = ended_;
  return delta;
}

Answer::Delta Answer::Finish(bool cut) {
  Delta delta;
  if (!ended_) {
    Add(reader_->Push(detokenizer_.Finish()), delta);
    // Behind calls, what became none is left out: a client that runs them wants no rest.
    AnswerReader::Step rest = reader_->Finish(cut);
    if (n_calls_ > 0) rest.text.clear();
    Add(std::move(rest), delta);
    if (!ended_) delta.text += stops_.Finish();
  }
  delta.ended = true;
  return delta;
}

}  // namespace skerry::engine
