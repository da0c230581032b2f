#include "engine/runtime/answer.h"

#include <utility>

namespace skerry::engine {

Answer::Answer(const Tokenizer& tokenizer, AnswerOptions options)
    : tokenizer_(&tokenizer),
      options_(std::move(options)),
      detokenizer_(tokenizer, options_.strip_leading_space),
      stops_(options_.stop_strings) {}

void Answer::PushText(const std::string& text, Delta& delta) {
  if (text.empty() || ended_) return;
  StopStrings::Step step = stops_.Push(text);
  delta.text += step.text;
  ended_ = step.stopped;
}

void Answer::PushCalls(const std::string& text, Delta& delta) {
  for (ToolCall& call : calls_->Push(text)) {
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
  if (options_.tool_call_token == token) {
    if (!calls_) {
      PushText(detokenizer_.Finish(), delta);
      delta.text += stops_.Finish();
    }
    calls_.emplace(options_.offered_tools);
    detokenizer_ = Detokenizer(*tokenizer_, /*strip_leading_space=*/true);
  } else if (calls_) {
    PushCalls(detokenizer_.Push(token), delta);
  } else {
    PushText(detokenizer_.Push(token), delta);
  }
  delta.ended = ended_;
  return delta;
}

Answer::Delta Answer::Finish(bool cut) {
  Delta delta;
  const std::string rest = detokenizer_.Finish();
  if (!calls_) {
    PushText(rest, delta);
    if (!ended_) delta.text += stops_.Finish();
  } else if (!ended_) {
    PushCalls(rest, delta);
    if (!cut && n_calls_ == 0) delta.text += calls_->Rest();
  }
  delta.ended = true;
  return delta;
}

}  // namespace skerry::engine
