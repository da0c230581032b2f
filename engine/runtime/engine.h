// The one thread that runs the model: takes requests from any thread, builds steps with the
// scheduler, samples, and hands each token to its request's sink. docs/engine/runtime.md has the
// whole way of a request.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "appliance/base/clock.h"
#include "appliance/base/result.h"
#include "engine/cache/block_pool.h"
#include "engine/grammar/matcher.h"
#include "engine/model/language_model.h"
#include "engine/runtime/stats.h"
#include "engine/sampler/logprobs.h"
#include "engine/sampler/params.h"
#include "engine/scheduler/scheduler.h"

namespace skerry::engine {

enum class FinishReason { kStop, kLength };

struct GenerationResult {
  FinishReason reason = FinishReason::kStop;
  int32_t completion_tokens = 0;  // the one that ended the answer included
  int32_t cached_tokens = 0;      // of the prompt, found in the prefix cache
};

struct GeneratedToken {
  TokenId id = 0;
  const PositionLogprobs* logprobs = nullptr;  // when asked for; valid during the call
};

// Where an answer's tokens go. Called on the engine's thread, one call at a time; must not block.
// After OnFinished or OnFailed, or once cancelled, nothing more is called and the engine drops the
// sink.
class GenerationSink {
 public:
  virtual ~GenerationSink() = default;
  // Before the first token, when asked for: one entry for each token of the prompt but the first.
  virtual void OnPrompt(std::vector<PositionLogprobs> logprobs) { (void)logprobs; }
  // False ends the generation as kStop.
  virtual bool OnToken(const GeneratedToken& token) = 0;
  virtual void OnFinished(const GenerationResult& result) = 0;
  virtual void OnFailed(const Error& error) = 0;
};

struct GenerationRequest {
  std::vector<TokenId> prompt;
  int32_t max_tokens = 1;  // at least 1
  SamplingParams sampling;
  std::vector<TokenId> stop_tokens;  // end the answer; not handed to the sink
  std::vector<TokenId> banned;       // never generated
  std::vector<TokenId> forced;       // the answer begins with these
  // Most likely tokens to report beside each generated one, and beside each of the prompt.
  std::optional<int32_t> logprobs;
  std::optional<int32_t> prompt_logprobs;
  // What an answer must be behind `forced`; null: anything. Shared by the answers and by other
  // requests. It comes before every other rule, and an answer that is complete ends, even where
  // `min_tokens` or `banned` forbid its stop tokens.
  std::shared_ptr<Constraint> constraint;
  // The constrained text begins a segment of its own (Matcher).
  bool constraint_strips_space = false;

  int32_t priority = 0;     // lower goes first
  std::string tenant;       // fairness and the prefix cache are by tenant
  double weight = 1;        // the tenant's share, compared with others
  std::string tenant_salt;  // further divides the prefix cache: by the proxy,
  std::string cache_salt;   // and by the client
};

struct EngineOptions {
  int32_t max_model_len = 0;         // prompt plus answer; 0: the model's own, or what memory holds
  int32_t max_num_seqs = 8;          // generated at the same time
  int32_t max_waiting = 64;          // more are refused
  int32_t max_batched_tokens = 512;  // tokens of one step
  bool prefix_caching = true;
  double memory_utilization = 0.9;  // the part of the available memory to use
  double kv_share = 1;              // of what weights and steps leave of that, for keys and values
  uint64_t kv_cache_bytes = 0;      // for keys and values; 0: by kv_share
  int32_t step_target_ms = 1000;    // prompts are cut so that a step takes about so long
  int32_t canary_interval_ms = 5000;  // between canaries when nothing runs
  int32_t hang_ms = 300'000;          // a step that takes longer is a hang
  // Called on the engine's thread after every step that worked.
  std::function<void(const EngineStats&)> on_step = {};
};

using RequestId = uint64_t;

namespace internal {
class Guide;
class GuideWorker;
}  // namespace internal

// Thread-safe.
class Engine {
 public:
  // Takes all memory that will be used and starts the thread. kExhausted, with the numbers, when
  // there is too little for one sequence of max_model_len; kInvalidArgument for a max_model_len
  // beyond the model's. `clock` must outlive the engine.
  static Result<std::unique_ptr<Engine>> Start(std::unique_ptr<LanguageModel> model,
                                               EngineOptions options,
                                               const Clock& clock = RealClock());
  ~Engine();  // as Stop

  // Queues a request for one answer per sink; tokens arrive there (shared: the caller keeps it for
  // its own purposes, too). kUnavailable when the queue is full or the engine drains, kExhausted
  // when this tenant alone fills most of the queue, kInvalidArgument when prompt plus max_tokens is
  // beyond max_model_len or a token is outside the vocabulary.
  Result<RequestId> Submit(GenerationRequest request,
                           std::vector<std::shared_ptr<GenerationSink>> sinks);
  Result<RequestId> Submit(GenerationRequest request, std::shared_ptr<GenerationSink> sink);
  // All answers of the request end before the next step; unknown ids are ignored.
  void Cancel(RequestId id);
  // From now on requests are refused; those that are queued or run go on.
  void Drain();
  // Drains, fails what still runs with kUnavailable, joins the thread.
  void Stop();

  // Whether tokens can be computed. With requests running `done` is called at once, judging by the
  // last step and the age of the one under way; else after a canary step, on the engine's thread.
  void Probe(std::function<void(Result<void>)> done);

  EngineStats stats() const;
  // Requests that go before this one; nothing when it runs or is unknown.
  std::optional<int32_t> QueuePosition(RequestId id) const;
  // When a refused request may find room, by the speed of the last answers; 1 to 60.
  int32_t RetryAfterSeconds() const;

  int32_t max_model_len() const { return options_.max_model_len; }
  // Where the memory went, for the log.
  const std::string& memory() const { return memory_; }
  const EngineOptions& options() const { return options_; }
  const ModelInfo& model_info() const { return model_->info(); }
  // Answers queued or running.
  int32_t n_live() const { return n_live_.load(std::memory_order_relaxed); }
  // False after a step that failed, until one succeeds.
  bool healthy() const { return healthy_.load(std::memory_order_relaxed); }

 private:
  struct Job;
  struct Submission {
    RequestId id = 0;  // of the first answer; the others follow
    GenerationRequest request;
    std::vector<std::shared_ptr<GenerationSink>> sinks;
    int64_t arrival_nanos = 0;
  };

  Engine(std::unique_ptr<LanguageModel> model, EngineOptions options, const Clock& clock,
         int32_t n_blocks);
  Result<void> CheckRequest(const GenerationRequest& request, size_t n) const;
  Result<void> CheckRoom(const std::string& tenant, int32_t n);  // mu_ held
  SequenceSpec SpecOf(const Submission& submission, int32_t choice) const;

  // internal/loop.cc: the engine's thread.
  void Run();
  bool TakeInput();
  void Accept(Submission submission);
  void Step();
  void Canary();
  Result<void> ProveDecoding();
  Result<void> Forward(std::span<const SequenceChunk> chunks, int32_t n_tokens);
  void HandlePromptLogits(Job& job, const Scheduler::Part& part, std::span<const float> logits);
  std::vector<internal::Guide*> GuidesOf(std::span<const Scheduler::Part> parts);
  void HandleLogits(Job& job, std::span<float> logits);
  Result<std::optional<TokenId>> NextToken(Job& job, std::span<float> logits);
  void Finish(Job& job, FinishReason reason, int64_t now);
  std::shared_ptr<GenerationSink> End(RequestId id);
  void FailAll(const Error& error);
  void AnswerProbes();
  void Publish();
  void Adapt(int32_t n_tokens, double seconds);

  std::unique_ptr<LanguageModel> model_;
  EngineOptions options_;
  const Clock& clock_;
  std::string memory_;

  // The engine's thread only.
  BlockPool pool_;
  BlockId canary_block_ = 0;
  Scheduler scheduler_;
  std::map<RequestId, std::unique_ptr<Job>> jobs_;
  std::vector<float> logits_;
  std::unique_ptr<internal::GuideWorker> guides_;
  EngineStats own_stats_;
  double seconds_per_token_ = 0;  // of steps that are mostly prompts
  Result<void> last_step_;

  std::atomic<int32_t> n_live_{0};
  std::atomic<bool> healthy_{true};
  std::atomic<int64_t> step_began_nanos_{0};  // 0: none is under way
  std::mutex mu_;
  std::condition_variable changed_;
  // Guarded by mu_.
  std::vector<Submission> inbox_;
  std::vector<RequestId> cancelled_;
  std::vector<std::function<void(Result<void>)>> probes_;
  std::map<std::string, int32_t> live_by_tenant_;
  RequestId next_id_ = 1;
  bool draining_ = false;
  bool stopping_ = false;

  mutable std::mutex stats_mu_;
  // Guarded by stats_mu_.
  EngineStats stats_;
  std::map<RequestId, int32_t> positions_;
  double seconds_per_answer_ = 1;

  std::thread thread_;
};

}  // namespace skerry::engine
