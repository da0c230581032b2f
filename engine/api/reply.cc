#include "engine/api/reply.h"

#include <algorithm>
#include <utility>

#include "appliance/http/error.h"

namespace skerry::engine {
namespace {

// A further answer of a reply.
class ChoiceSink : public GenerationSink {
 public:
  ChoiceSink(std::shared_ptr<Reply> reply, size_t index)
      : reply_(std::move(reply)), index_(index) {}
  bool OnToken(const GeneratedToken& token) override {
    return reply_->OnChoiceToken(index_, token);
  }
  void OnFinished(const GenerationResult& result) override {
    reply_->OnChoiceFinished(index_, result);
  }
  void OnFailed(const Error& error) override { reply_->OnFailed(error); }

 private:
  const std::shared_ptr<Reply> reply_;
  const size_t index_;
};

}  // namespace

Reply::Reply(std::shared_ptr<http::Responder> responder, ReplyIdentity identity, bool stream,
             int64_t prompt_tokens, Answer answer, const Clock& clock, const Tokenizer* tokenizer)
    : responder_(std::move(responder)),
      identity_(std::move(identity)),
      stream_(stream),
      prompt_tokens_(prompt_tokens),
      clock_(clock),
      tokenizer_(tokenizer) {
  AddChoice(std::move(answer));
}

void Reply::AddChoice(Answer answer) {
  const std::lock_guard lock(mu_);
  parts_.emplace_back(std::move(answer));
  parts_.back().identity = identity_;
  parts_.back().identity.choice = static_cast<int32_t>(parts_.size()) - 1;
}

Result<void> Reply::Submit(std::shared_ptr<Reply> self, Engine& engine, GenerationRequest request) {
  // Held until the head is out, so that no token overtakes it.
  const std::lock_guard lock(mu_);
  if (request.logprobs) {
    for (Part& part : parts_) part.whole.logprobs.emplace();
  }
  std::vector<std::shared_ptr<GenerationSink>> sinks;
  for (size_t i = 1; i < parts_.size(); ++i) sinks.push_back(std::make_shared<ChoiceSink>(self, i));
  sinks.insert(sinks.begin(), std::move(self));
  Result<RequestId> id = engine.Submit(std::move(request), std::move(sinks));
  if (!id) {
    ended_ = true;
    return std::move(id).error();
  }
  engine_ = &engine;
  id_ = *id;
  if (stream_) {
    responder_->Start(200, {{"content-type", "text/event-stream"},
                            {"cache-control", "no-cache"},
                            {"skerry-lease", "prompt=" + std::to_string(prompt_tokens_)}});
    last_write_nanos_ = clock_.MonotonicNanos();
  }
  responder_->OnClientGone([&engine, id = *id] { engine.Cancel(id); });
  return {};
}

bool Reply::Ping(int64_t silence_ms) {
  const std::lock_guard lock(mu_);
  if (ended_ || responder_->ClientGone()) return false;
  if (stream_ && clock_.MonotonicNanos() - last_write_nanos_ >= silence_ms * 1'000'000) {
    Write(PingComment(engine_ == nullptr ? std::nullopt : engine_->QueuePosition(id_)));
  }
  return true;
}

bool Reply::Write(std::string event) {
  last_write_nanos_ = clock_.MonotonicNanos();
  return responder_->Write(std::move(event)) <= kMaxBacklogBytes;
}

ReportedToken Reply::Spell(const TokenLogprob& token) const {
  ReportedToken reported;
  reported.id = token.id;
  reported.logprob = token.logprob;
  reported.rank = token.rank;
  if (tokenizer_ == nullptr) return reported;
  // Control tokens have no text of their own.
  const std::string_view bytes = tokenizer_->TokenBytes(token.id);
  reported.bytes = bytes.empty() ? tokenizer_->TokenName(token.id) : bytes;
  return reported;
}

void Reply::Report(Part& part, const PositionLogprobs& logprobs) {
  ReportedToken reported = Spell(logprobs.chosen);
  for (const TokenLogprob& other : logprobs.top) reported.top.push_back(Spell(other));
  if (stream_) {
    part.reported.push_back(std::move(reported));
  } else if (part.whole.logprobs) {
    part.whole.logprobs->push_back(std::move(reported));
  }
}

void Reply::OnPrompt(std::vector<PositionLogprobs> logprobs) {
  const std::lock_guard lock(mu_);
  prompt_logprobs_.emplace();
  for (const PositionLogprobs& position : logprobs) {
    prompt_logprobs_->push_back(Spell(position.chosen));
    for (const TokenLogprob& other : position.top) {
      prompt_logprobs_->back().top.push_back(Spell(other));
    }
  }
}

// False when the client reads too slowly to go on.
bool Reply::Emit(Part& part, Answer::Delta delta) {
  const ReplyIdentity& identity = part.identity;
  // Ids are unique among all answers of a reply.
  const std::string id_base =
      identity.id + (identity.choice > 0 ? "/choice" + std::to_string(identity.choice) : "") + "/";
  size_t index = part.n_calls;
  for (ToolCall& call : delta.calls) {
    call.id = NineCharacterId(id_base + std::to_string(index++));
  }
  if (!stream_) {
    part.whole.generated.reasoning += delta.reasoning;
    part.whole.generated.text += delta.text;
    for (ToolCall& call : delta.calls) part.whole.generated.calls.push_back(std::move(call));
    part.n_calls = index;
    return true;
  }
  bool keeps_up = true;
  if (!part.role_sent && identity.chat) {
    part.role_sent = true;
    keeps_up = Write(RoleEvent(identity));
  }
  if (!delta.reasoning.empty()) keeps_up = Write(ReasoningEvent(identity, delta.reasoning));
  if (!delta.text.empty()) {
    keeps_up = Write(TextEvent(identity, delta.text, std::exchange(part.reported, {})));
  }
  for (const ToolCall& call : delta.calls) {
    for (std::string& event : CallEvents(identity, part.n_calls, call)) {
      keeps_up = Write(std::move(event));
    }
    ++part.n_calls;
  }
  return keeps_up;
}

bool Reply::OnChoiceToken(size_t i, const GeneratedToken& token) {
  const std::lock_guard lock(mu_);
  if (ended_) return false;
  Part& part = parts_[i];
  if (token.logprobs != nullptr) Report(part, *token.logprobs);
  Answer::Delta delta = part.answer.Push(token.id);
  const bool answer_ended = delta.ended;
  if (!Emit(part, std::move(delta))) {
    ended_ = true;
    responder_->Abort();
    return false;
  }
  return !answer_ended;
}

std::string Reply::UsageHeader(const Usage& usage) const {
  return "prompt=" + std::to_string(usage.prompt_tokens) +
         " completion=" + std::to_string(usage.completion_tokens) +
         " finish=" + parts_[0].whole.finish_reason;
}

std::string Reply::FinishOf(const Part& part, FinishReason reason) const {
  if (reason == FinishReason::kLength) return "length";
  if (!part.answer.has_calls()) return "stop";
  return identity_.legacy_functions ? "function_call" : "tool_calls";
}

void Reply::OnChoiceFinished(size_t i, const GenerationResult& result) {
  const std::lock_guard lock(mu_);
  if (ended_) return;
  Part& part = parts_[i];
  Emit(part, part.answer.Finish(result.reason == FinishReason::kLength));
  part.whole.finish_reason = FinishOf(part, result.reason);
  part.completion_tokens = result.completion_tokens;
  part.finished = true;
  if (i == 0) cached_tokens_ = result.cached_tokens;
  if (stream_) {
    // Tokens that gave no text, such as the one that ended the answer.
    if (!part.reported.empty()) {
      Write(TextEvent(part.identity, "", std::exchange(part.reported, {})));
    }
    Write(FinishEvent(part.identity, part.whole.finish_reason));
  }
  if (!std::ranges::all_of(parts_, [](const Part& other) { return other.finished; })) return;
  ended_ = true;
  Usage usage{prompt_tokens_, 0, cached_tokens_};
  for (const Part& other : parts_) usage.completion_tokens += other.completion_tokens;
  if (!stream_) return SendWhole(usage);
  Write(UsageEvent(identity_, usage));
  Write(kDoneEvent);
  responder_->Finish({{"skerry-usage", UsageHeader(usage)}});
}

void Reply::SendWhole(const Usage& usage) {
  std::vector<Choice> choices;
  const std::string header = UsageHeader(usage);
  choices.reserve(parts_.size());
  for (Part& part : parts_) choices.push_back(std::move(part.whole));
  responder_->Send({200,
                    {{"content-type", "application/json"},
                     {"skerry-lease", "prompt=" + std::to_string(prompt_tokens_)},
                     {"skerry-usage", header}},
                    WholeReplyJson(identity_, choices, usage, prompt_logprobs_)});
}

void Reply::OnFailed(const Error& error) {
  const std::lock_guard lock(mu_);
  if (ended_) return;
  ended_ = true;
  const http::ApiError api_error = http::FromError(error);
  if (stream_) {
    Write(ErrorEvent(api_error));
    responder_->Finish();
    return;
  }
  responder_->Send({api_error.status,
                    {{"content-type", "application/json"}, {"retry-after", "1"}},
                    http::ErrorBody(api_error)});
}

}  // namespace skerry::engine
