// The one thread that runs the model: takes requests from any thread, builds steps with the
// scheduler, samples, and hands each token to its request's sink.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "appliance/base/result.h"
#include "engine/cache/block_pool.h"
#include "engine/model/language_model.h"
#include "engine/sampler/sampler.h"
#include "engine/scheduler/scheduler.h"

namespace skerry::engine {

enum class FinishReason { kStop, kLength };

struct GenerationResult {
  FinishReason reason = FinishReason::kStop;
  int32_t completion_tokens = 0;  // the one that ended the answer included
};

// Where a request's tokens go. Called on the engine's thread, one call at a time; must not block.
// After OnFinished or OnFailed, or once cancelled, nothing more is called and the engine drops the
// sink.
class GenerationSink {
 public:
  virtual ~GenerationSink() = default;
  // False ends the generation as kStop.
  virtual bool OnToken(TokenId token) = 0;
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
};

struct EngineOptions {
  int32_t max_model_len = 0;         // prompt plus answer; 0: the model's own, or what memory holds
  int32_t max_num_seqs = 8;          // generated at the same time
  int32_t max_waiting = 64;          // more are refused
  int32_t max_batched_tokens = 512;  // tokens of one step
  uint64_t kv_cache_bytes = 1u << 30;  // at most this much memory for keys and values
};

using RequestId = uint64_t;

// Thread-safe.
class Engine {
 public:
  // Makes room in the model's cache and starts the thread. kExhausted when the cache does not hold
  // one sequence of max_model_len, naming the length that would fit; kInvalidArgument for a
  // max_model_len beyond the model's.
  static Result<std::unique_ptr<Engine>> Start(std::unique_ptr<LanguageModel> model,
                                               EngineOptions options);
  ~Engine();  // as Stop

  // Queues a request; tokens arrive at `sink` (shared: the caller keeps it for its own purposes,
  // too). kUnavailable when the queue is full or the engine stops, kInvalidArgument when prompt
  // plus max_tokens is beyond max_model_len or a token is outside the vocabulary.
  Result<RequestId> Submit(GenerationRequest request, std::shared_ptr<GenerationSink> sink);
  // The request ends before the next step; unknown ids are ignored.
  void Cancel(RequestId id);
  // Refuses new requests, fails what still runs with kUnavailable, joins the thread.
  void Stop();

  int32_t max_model_len() const { return options_.max_model_len; }
  const ModelInfo& model_info() const { return model_->info(); }
  // Requests queued or running.
  int32_t n_live() const { return n_live_.load(std::memory_order_relaxed); }
  // False after a step that failed, until one succeeds.
  bool healthy() const { return healthy_.load(std::memory_order_relaxed); }

 private:
  struct Job;
  struct Submission {
    RequestId id = 0;
    GenerationRequest request;
    std::shared_ptr<GenerationSink> sink;
  };

  Engine(std::unique_ptr<LanguageModel> model, const EngineOptions& options, int32_t n_blocks);
  void Run();
  bool TakeInput();
  void Accept(Submission submission);
  void Step();
  void HandleLogits(RequestId id, std::span<float> logits);
  std::shared_ptr<GenerationSink> End(RequestId id);
  void FailAll(const Error& error);

  std::unique_ptr<LanguageModel> model_;
  EngineOptions options_;
  BlockPool pool_;
  Scheduler scheduler_;
  std::map<RequestId, std::unique_ptr<Job>> jobs_;  // the engine's thread only
  std::vector<float> logits_;

  std::atomic<int32_t> n_live_{0};
  std::atomic<bool> healthy_{true};
  std::mutex mu_;
  std::condition_variable changed_;
  std::vector<Submission> inbox_;     // guarded by mu_
  std::vector<RequestId> cancelled_;  // guarded by mu_
  RequestId next_id_ = 1;             // guarded by mu_
  bool stopping_ = false;             // guarded by mu_
  std::thread thread_;
};

}  // namespace skerry::engine
