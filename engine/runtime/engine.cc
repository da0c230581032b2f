#include "engine/runtime/engine.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "engine/runtime/internal/job.h"
#include "engine/runtime/memory_plan.h"

namespace skerry::engine {
namespace {

// One tenant may not take the last quarter of the queue when it has half of it already.
constexpr int32_t kReservedPart = 4;
// Of a step before any was measured: on a slow machine the first is not to take a minute.
constexpr int32_t kFirstStepTokens = 64;

}  // namespace

Result<std::unique_ptr<Engine>> Engine::Start(std::unique_ptr<LanguageModel> model,
                                              EngineOptions options, const Clock& clock) {
  const ModelInfo& info = model->info();
  if (!info.generates) {
    return Error(ErrorCode::kInvalidArgument, "an embedding model cannot generate text");
  }
  if (options.max_num_seqs < 1 || options.max_waiting < 0 || options.max_batched_tokens < 1) {
    return Error(ErrorCode::kInvalidArgument, "--max-num-seqs and queue limits must be positive");
  }
  const int64_t n_rows = std::max(options.max_batched_tokens, options.max_num_seqs);
  const int64_t n_logits = options.max_num_seqs + kMaxPromptLogitRows;
  const int32_t longest = options.max_model_len > 0 ? options.max_model_len : info.max_position;
  MemoryNeeds needs;
  needs.available_bytes = model->Memory().available_bytes;
  needs.utilization = options.memory_utilization;
  needs.weight_bytes = info.weight_bytes;
  needs.activation_bytes = model->StepBytes(n_rows, n_logits, longest);
  needs.kv_block_bytes = info.kv_bytes_per_block;
  needs.block_tokens = info.block_tokens;
  needs.kv_cache_bytes = options.kv_cache_bytes;
  needs.kv_share = options.kv_share;
  needs.max_position = info.max_position;
  needs.max_model_len = options.max_model_len;
  needs.max_num_seqs = options.max_num_seqs;
  const MemoryPlan plan = TRY(PlanMemory(needs));
  options.max_model_len = plan.max_model_len;
  const int32_t n_blocks = plan.n_blocks + 1;
  // Everything that is ever used is taken here.
  TRY(model->ReserveStep(n_rows, n_logits).WithContext(plan.description));
  TRY(model->AllocateCache(n_blocks).WithContext(plan.description));
  std::unique_ptr<Engine> engine(new Engine(std::move(model), std::move(options), clock, n_blocks));
  engine->memory_ = plan.description;
  TRY(engine->ProveDecoding());
  engine->thread_ = std::thread([raw = engine.get()] { raw->Run(); });
  return engine;
}

Engine::Engine(std::unique_ptr<LanguageModel> model, EngineOptions options, const Clock& clock,
               int32_t n_blocks)
    : model_(std::move(model)),
      options_(std::move(options)),
      clock_(clock),
      pool_(n_blocks),
      canary_block_(pool_.Allocate(1).value()[0]),
      scheduler_({.max_running = options_.max_num_seqs,
                  .step_tokens = std::min(options_.max_batched_tokens, kFirstStepTokens)},
                 pool_, model_->info().block_tokens) {
  guides_ = std::make_unique<internal::GuideWorker>();
  own_stats_.n_blocks = n_blocks - 1;
  stats_ = own_stats_;
}

Engine::~Engine() { Stop(); }

Result<void> Engine::CheckRequest(const GenerationRequest& request, size_t n) const {
  const int32_t vocab_size = model_->info().vocab_size;
  const auto outside = [vocab_size](TokenId id) { return id < 0 || id >= vocab_size; };
  if (request.prompt.empty() || request.max_tokens < 1 || n < 1) {
    return Error(ErrorCode::kInvalidArgument, "an empty prompt or nothing to generate");
  }
  if (std::ranges::any_of(request.prompt, outside) ||
      std::ranges::any_of(request.forced, outside)) {
    return Error(ErrorCode::kInvalidArgument, "a token id is outside the model's vocabulary");
  }
  if (static_cast<int64_t>(request.prompt.size()) + request.max_tokens > options_.max_model_len) {
    return Error(ErrorCode::kInvalidArgument, "prompt and answer are longer than the context");
  }
  return {};
}

Result<void> Engine::CheckRoom(const std::string& tenant, int32_t n) {
  const int32_t room = options_.max_num_seqs + options_.max_waiting;
  if (n > room - n_live()) {
    return Error(ErrorCode::kUnavailable, "the engine's queue is full; try again later");
  }
  const auto found = live_by_tenant_.find(tenant);
  const int32_t mine = found == live_by_tenant_.end() ? 0 : found->second;
  if (n_live() + n > room - room / kReservedPart && mine > room / 2) {
    return Error(ErrorCode::kExhausted,
                 "this client's requests fill most of the engine's queue; what is left is for "
                 "others: wait for some of them to end");
  }
  return {};
}

Result<RequestId> Engine::Submit(GenerationRequest request, std::shared_ptr<GenerationSink> sink) {
  std::vector<std::shared_ptr<GenerationSink>> sinks;
  sinks.push_back(std::move(sink));
  return Submit(std::move(request), std::move(sinks));
}

Result<RequestId> Engine::Submit(GenerationRequest request,
                                 std::vector<std::shared_ptr<GenerationSink>> sinks) {
  TRY(CheckRequest(request, sinks.size()));
  const auto n = static_cast<int32_t>(sinks.size());
  const std::lock_guard lock(mu_);
  if (draining_) return Error(ErrorCode::kUnavailable, "the engine is shutting down");
  TRY(CheckRoom(request.tenant, n));
  const RequestId id = next_id_;
  next_id_ += sinks.size();
  n_live_.fetch_add(n, std::memory_order_relaxed);
  live_by_tenant_[request.tenant] += n;
  inbox_.push_back({id, std::move(request), std::move(sinks), clock_.MonotonicNanos()});
  changed_.notify_one();
  return id;
}

void Engine::Cancel(RequestId id) {
  const std::lock_guard lock(mu_);
  cancelled_.push_back(id);
  changed_.notify_one();
}

void Engine::Drain() {
  const std::lock_guard lock(mu_);
  draining_ = true;
}

void Engine::Stop() {
  {
    const std::lock_guard lock(mu_);
    draining_ = true;
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Engine::Probe(std::function<void(Result<void>)> done) {
  const int64_t began = step_began_nanos_.load(std::memory_order_relaxed);
  if (began != 0) {
    const int64_t age_ms = (clock_.MonotonicNanos() - began) / 1'000'000;
    if (age_ms > options_.hang_ms) {
      return done(Error(ErrorCode::kUnavailable, "the step under way has not ended for " +
                                                     std::to_string(age_ms / 1000) + " s"));
    }
    if (healthy()) return done({});
  }
  std::unique_lock lock(mu_);
  if (stopping_) {
    lock.unlock();
    return done(Error(ErrorCode::kUnavailable, "the engine is shutting down"));
  }
  probes_.push_back(std::move(done));
  changed_.notify_one();
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(stats_mu_);
  return stats_;
}

std::optional<int32_t> Engine::QueuePosition(RequestId id) const {
  const std::lock_guard lock(stats_mu_);
  const auto found = positions_.find(id);
  if (found == positions_.end()) return std::nullopt;
  return found->second;
}

int32_t Engine::RetryAfterSeconds() const {
  const std::lock_guard lock(stats_mu_);
  // The queue moves up by one place whenever one of those running ends.
  const double seconds = seconds_per_answer_ / options_.max_num_seqs * (stats_.n_waiting + 1);
  return static_cast<int32_t>(std::clamp(std::ceil(seconds), 1.0, 60.0));
}

}  // namespace skerry::engine
