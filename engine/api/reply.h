// One reply under way: tokens come in from the engine's thread, HTTP goes out.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
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

// Thread-safe.
class Reply : public GenerationSink {
 public:
  Reply(std::shared_ptr<http::Responder> responder, ReplyIdentity identity, bool stream,
        int64_t prompt_tokens, Answer answer, const Clock& clock);

  // Submits `request` with this reply as its sink. When the engine takes it, a stream's head is
  // sent at once and the request is cancelled when the client goes; an error is returned before
  // anything is sent.
  Result<void> Submit(std::shared_ptr<Reply> self, Engine& engine, GenerationRequest request);

  // Sends a comment when a stream has been silent for `silence_ms`. True as long as the reply runs.
  bool Ping(int64_t silence_ms);

  bool OnToken(const GeneratedToken& token) override;
  void OnFinished(const GenerationResult& result) override;
  void OnFailed(const Error& error) override;

 private:
  bool Emit(Answer::Delta delta);
  bool Write(std::string event);
  std::string UsageHeader(const GenerationResult& result, const std::string& finish) const;

  const std::shared_ptr<http::Responder> responder_;
  const ReplyIdentity identity_;
  const bool stream_;
  const int64_t prompt_tokens_;
  const Clock& clock_;

  std::mutex mu_;  // guards what follows
  Answer answer_;
  std::string reasoning_;        // of a whole reply
  std::string text_;             // of a whole reply
  std::vector<ToolCall> calls_;  // of a whole reply
  size_t n_calls_ = 0;
  bool role_sent_ = false;
  bool ended_ = false;
  int64_t last_write_nanos_ = 0;
};

}  // namespace skerry::engine
