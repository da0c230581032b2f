#include "engine/api/reply.h"

#include <utility>

#include "appliance/http/error.h"

namespace skerry::engine {

Reply::Reply(std::shared_ptr<http::Responder> responder, ReplyIdentity identity, bool stream,
             int64_t prompt_tokens, Answer answer, const Clock& clock)
    : responder_(std::move(responder)),
      identity_(std::move(identity)),
      stream_(stream),
      prompt_tokens_(prompt_tokens),
      clock_(clock),
      answer_(std::move(answer)) {}

Result<void> Reply::Submit(std::shared_ptr<Reply> self, Engine& engine, GenerationRequest request) {
  // Held until the head is out, so that no token overtakes it.
  const std::lock_guard lock(mu_);
  Result<RequestId> id = engine.Submit(std::move(request), std::move(self));
  if (!id) {
    ended_ = true;
    return std::move(id).error();
  }
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
    Write(kPingComment);
  }
  return true;
}

bool Reply::Write(std::string event) {
  last_write_nanos_ = clock_.MonotonicNanos();
  return responder_->Write(std::move(event)) <= kMaxBacklogBytes;
}

// False when the client reads too slowly to go on.
bool Reply::Emit(Answer::Delta delta) {
  size_t index = n_calls_;
  for (ToolCall& call : delta.calls) {
    call.id = NineCharacterId(identity_.id + "/" + std::to_string(index++));
  }
  if (!stream_) {
    reasoning_ += delta.reasoning;
    text_ += delta.text;
    for (ToolCall& call : delta.calls) calls_.push_back(std::move(call));
    n_calls_ = index;
    return true;
  }
  bool keeps_up = true;
  if (!role_sent_ && identity_.chat) {
    role_sent_ = true;
    keeps_up = Write(RoleEvent(identity_));
  }
  if (!delta.reasoning.empty()) keeps_up = Write(ReasoningEvent(identity_, delta.reasoning));
  if (!delta.text.empty()) keeps_up = Write(TextEvent(identity_, delta.text));
  for (const ToolCall& call : delta.calls) {
    for (std::string& event : CallEvents(identity_, n_calls_, call)) {
      keeps_up = Write(std::move(event));
    }
    ++n_calls_;
  }
  return keeps_up;
}

bool Reply::OnToken(const GeneratedToken& token) {
  const std::lock_guard lock(mu_);
  if (ended_) return false;
  Answer::Delta delta = answer_.Push(token.id);
  const bool answer_ended = delta.ended;
  if (!Emit(std::move(delta))) {
    ended_ = true;
    responder_->Abort();
    return false;
  }
  return !answer_ended;
}

std::string Reply::UsageHeader(const GenerationResult& result, const std::string& finish) const {
  return "prompt=" + std::to_string(prompt_tokens_) +
         " completion=" + std::to_string(result.completion_tokens) + " finish=" + finish;
}

void Reply::OnFinished(const GenerationResult& result) {
  const std::lock_guard lock(mu_);
  if (ended_) return;
  ended_ = true;
  const bool cut = result.reason == FinishReason::kLength;
  Emit(answer_.Finish(cut));
  std::string finish = cut ? "length" : "stop";
  if (!cut && answer_.has_calls()) {
    finish = identity_.legacy_functions ? "function_call" : "tool_calls";
  }
  const Usage usage{prompt_tokens_, result.completion_tokens};
  if (stream_) {
    Write(FinishEvent(identity_, finish));
    Write(UsageEvent(identity_, usage));
    Write(kDoneEvent);
    responder_->Finish({{"skerry-usage", UsageHeader(result, finish)}});
    return;
  }
  responder_->Send({200,
                    {{"content-type", "application/json"},
                     {"skerry-lease", "prompt=" + std::to_string(prompt_tokens_)},
                     {"skerry-usage", UsageHeader(result, finish)}},
                    WholeReplyJson(identity_, {reasoning_, text_, calls_}, finish, usage)});
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
