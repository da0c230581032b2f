// One reply under way: tokens come in from the engine's thread, HTTP goes out.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/clock.h"
#include "appliance/http/server.h"
#include "engine/api/reply_json.h"
#include "engine/runtime/answer.h"
#include "engine/runtime/engine.h"

namespace skerry::engine {

// Most bytes that may wait for a client; one that reads slower than that is cut off.
inline constexpr size_t kMaxBacklogBytes = 4 << 20;

// Thread-safe. It is the sink of its first answer; those of further ones refer to it.
class Reply : public GenerationSink {
 public:
  // `tokenizer` spells tokens whose log probabilities are reported; it must outlive the reply.
  Reply(std::shared_ptr<http::Responder> responder, ReplyIdentity identity, bool stream,
        int64_t prompt_tokens, Answer answer, const Clock& clock,
        const Tokenizer* tokenizer = nullptr);
  // One more answer to the same prompt; before Submit.
  void AddChoice(Answer answer);

  // Submits `request` with this reply as its sink. When the engine takes it, a stream's head is
  // sent at once and the request is cancelled when the client goes; an error is returned before
  // anything is sent.
  Result<void> Submit(std::shared_ptr<Reply> self, Engine& engine, GenerationRequest request);

  // Sends a comment when a stream has been silent for `silence_ms`. True as long as the reply runs.
  bool Ping(int64_t silence_ms);

  void OnPrompt(std::vector<PositionLogprobs> logprobs) override;
  bool OnToken(const GeneratedToken& token) override { return OnChoiceToken(0, token); }
  void OnFinished(const GenerationResult& result) override { OnChoiceFinished(0, result); }
  void OnFailed(const Error& error) override;

  // The same for answer `i`.
  bool OnChoiceToken(size_t i, const GeneratedToken& token);
  void OnChoiceFinished(size_t i, const GenerationResult& result);

 private:
  struct Part {
    explicit Part(Answer its_answer) : answer(std::move(its_answer)) {}
    Answer answer;
    ReplyIdentity identity;
    Choice whole;                         // of a whole reply
    std::vector<ReportedToken> reported;  // of a stream, since the last event
    size_t n_calls = 0;
    bool role_sent = false;
    bool finished = false;
    int32_t completion_tokens = 0;
  };

  bool Emit(Part& part, Answer::Delta delta);
  bool Write(std::string event);
  void Report(Part& part, const PositionLogprobs& logprobs);
  ReportedToken Spell(const TokenLogprob& token) const;
  std::string FinishOf(const Part& part, FinishReason reason) const;
  void SendWhole(const Usage& usage);
  std::string UsageHeader(const Usage& usage) const;

  const std::shared_ptr<http::Responder> responder_;
  const ReplyIdentity identity_;
  const bool stream_;
  const int64_t prompt_tokens_;
  const Clock& clock_;
  const Tokenizer* tokenizer_;

  std::mutex mu_;  // guards what follows
  std::vector<Part> parts_;
  std::optional<std::vector<ReportedToken>> prompt_logprobs_;
  int64_t cached_tokens_ = 0;
  Engine* engine_ = nullptr;  // once submitted
  RequestId id_ = 0;
  bool ended_ = false;
  int64_t last_write_nanos_ = 0;
};

}  // namespace skerry::engine
