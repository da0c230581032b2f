// The one thread that runs an embedding model: takes lists of inputs from any thread, computes as
// many of them at once as a step holds, and gives each list its vectors. An input's vector does not
// depend on what is computed beside it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "appliance/base/clock.h"
#include "appliance/base/result.h"
#include "engine/model/language_model.h"
#include "engine/model/pooling.h"
#include "engine/runtime/stats.h"

namespace skerry::engine {

struct EncoderOptions {
  Pooling pooling = Pooling::kCls;
  bool normalise = false;  // vectors to length 1
  // Longest input; 0: the model's own, but not more than kLongestDefaultInput, because an input is
  // computed in one step and takes memory for all of it.
  int32_t max_model_len = 0;
  int32_t max_batched_tokens = 512;      // of one step; a single input may be longer
  int32_t max_waiting = 64;              // requests; more are refused
  int64_t max_waiting_inputs = 16'384;   // of all requests; a request alone may have more
  int64_t max_waiting_tokens = 4 << 20;  // the same
  double memory_utilization = 0.9;
  int32_t canary_interval_ms = 5000;  // between canaries when nothing runs
  int32_t hang_ms = 300'000;          // a step that takes longer is a hang
  // Called on the encoder's thread after every step that worked.
  std::function<void(const EngineStats&)> on_step = {};
};

inline constexpr int32_t kLongestDefaultInput = 8192;

struct EncodeRequest {
  std::vector<std::vector<TokenId>> inputs;  // at least one, none empty
  std::string tenant;
};

// One vector for each input, in their order.
using Embeddings = std::vector<std::vector<float>>;

// Thread-safe.
class Encoder {
 public:
  using Done = std::function<void(Result<Embeddings>)>;

  // Takes all memory that steps will use, computes a token and starts the thread. kExhausted, with
  // the numbers, when there is too little; kInvalidArgument for a max_model_len beyond the model's.
  // `clock` must outlive the encoder.
  static Result<std::unique_ptr<Encoder>> Start(std::unique_ptr<LanguageModel> model,
                                                EncoderOptions options,
                                                const Clock& clock = RealClock());
  ~Encoder();  // as Stop

  // Queues a request. `done` is called once, on the encoder's thread, and must not block; not for a
  // request that was cancelled before. kUnavailable when the queue is full or the encoder drains,
  // kExhausted when this tenant alone fills most of the queue, kInvalidArgument for an input that
  // is empty, longer than max_model_len, or has a token outside the vocabulary.
  Result<uint64_t> Submit(EncodeRequest request, Done done);
  // Nothing more of the request is computed from the next step on; unknown ids are ignored.
  void Cancel(uint64_t id);
  // From now on requests are refused; those that are queued go on.
  void Drain();
  // Drains, fails what is still queued with kUnavailable, joins the thread.
  void Stop();

  // Whether vectors can be computed: by the step under way, else by a canary.
  void Probe(std::function<void(Result<void>)> done);

  EngineStats stats() const;
  // When a refused request may find room, by the speed of the last steps; 1 to 60.
  int32_t RetryAfterSeconds() const;

  int32_t max_model_len() const { return options_.max_model_len; }
  int32_t width() const { return model_->info().hidden_size; }  // of a vector
  int32_t vocab_size() const { return model_->info().vocab_size; }
  // Where the memory went, for the log.
  const std::string& memory() const { return memory_; }

 private:
  struct Job;
  // Input `index` of `job`, to be computed now.
  struct Part {
    std::shared_ptr<Job> job;
    size_t index = 0;
  };

  Encoder(std::unique_ptr<LanguageModel> model, EncoderOptions options, const Clock& clock,
          int32_t n_blocks);
  Result<void> CheckRequest(const EncodeRequest& request) const;
  Result<void> CheckRoom(const std::string& tenant, const Job& job) const;  // mu_ held
  void Forget(const Job& job);                                              // mu_ held

  // The encoder's thread.
  void Run();
  bool AwaitWork();
  std::vector<Part> TakeBatch();
  Result<void> Encode(std::span<const SequenceChunk> chunks);
  void Canary();
  void Step(const std::vector<Part>& parts);
  void Finish(const std::vector<Part>& parts, const Result<void>& done);
  void AnswerProbes();

  std::unique_ptr<LanguageModel> model_;
  EncoderOptions options_;
  const Clock& clock_;
  const std::vector<BlockId> blocks_;
  std::string memory_;

  // The encoder's thread only.
  std::vector<float> rows_;
  Result<void> last_step_;

  std::atomic<bool> healthy_{true};
  std::atomic<int64_t> step_began_nanos_{0};  // 0: none is under way
  mutable std::mutex mu_;
  std::condition_variable changed_;
  // Guarded by mu_.
  std::deque<std::shared_ptr<Job>> queue_;  // those of the step under way included
  std::vector<std::function<void(Result<void>)>> probes_;
  std::map<std::string, int32_t> jobs_by_tenant_;
  EngineStats stats_;
  int64_t waiting_inputs_ = 0;
  int64_t waiting_tokens_ = 0;
  double seconds_per_token_ = 0;
  uint64_t next_id_ = 1;
  bool draining_ = false;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace skerry::engine
