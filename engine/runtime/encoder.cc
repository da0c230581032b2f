#include "engine/runtime/encoder.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/cache/block_pool.h"
#include "engine/runtime/internal/encode_job.h"
#include "engine/runtime/memory_plan.h"

namespace skerry::engine {
namespace {

// One tenant may not take the last quarter of the queue when it has half of it already.
constexpr int32_t kReservedPart = 4;

std::vector<BlockId> AllBlocks(int32_t n) {
  std::vector<BlockId> blocks(static_cast<size_t>(n));
  std::iota(blocks.begin(), blocks.end(), 0);
  return blocks;
}

Error ShuttingDown() { return Error(ErrorCode::kUnavailable, "the engine is shutting down"); }

}  // namespace

Result<std::unique_ptr<Encoder>> Encoder::Start(std::unique_ptr<LanguageModel> model,
                                                EncoderOptions options, const Clock& clock) {
  const ModelInfo& info = model->info();
  if (options.max_batched_tokens < 1 || options.max_waiting < 0) {
    return Error(ErrorCode::kInvalidArgument,
                 "--max-num-batched-tokens and --max-waiting must be positive");
  }
  MemoryNeeds needs;
  needs.max_position = info.max_position;
  needs.max_model_len = options.max_model_len > 0
                            ? options.max_model_len
                            : std::min(info.max_position, kLongestDefaultInput);
  const int32_t n_rows = std::max(options.max_batched_tokens, needs.max_model_len);
  // Every input begins a block of its own.
  const int32_t wanted_blocks = BlockPool::BlocksFor(n_rows) + kMaxStepInputs;
  needs.available_bytes = model->Memory().available_bytes;
  needs.utilization = options.memory_utilization;
  needs.weight_bytes = info.weight_bytes;
  needs.activation_bytes = model->StepBytes(n_rows, 1, needs.max_model_len);
  needs.kv_block_bytes = info.kv_bytes_per_block;
  needs.block_tokens = info.block_tokens;
  const int32_t longest_blocks = BlockPool::BlocksFor(needs.max_model_len);
  needs.max_num_seqs = (wanted_blocks + longest_blocks - 1) / longest_blocks;
  const MemoryPlan plan = TRY(PlanMemory(needs));
  options.max_model_len = plan.max_model_len;
  options.max_batched_tokens = n_rows;
  TRY(model->ReserveStep(n_rows, 1).WithContext(plan.description));
  TRY(model->AllocateCache(plan.n_blocks).WithContext(plan.description));
  std::unique_ptr<Encoder> encoder(
      new Encoder(std::move(model), std::move(options), clock, plan.n_blocks));
  encoder->memory_ = plan.description;
  encoder->Canary();
  TRY(std::move(encoder->last_step_));
  encoder->last_step_ = {};
  encoder->stats_ = EngineStats();
  encoder->thread_ = std::thread([raw = encoder.get()] { raw->Run(); });
  return encoder;
}

Encoder::Encoder(std::unique_ptr<LanguageModel> model, EncoderOptions options, const Clock& clock,
                 int32_t n_blocks)
    : model_(std::move(model)),
      options_(std::move(options)),
      clock_(clock),
      blocks_(AllBlocks(n_blocks)) {}

Encoder::~Encoder() { Stop(); }

Result<void> Encoder::CheckRequest(const EncodeRequest& request) const {
  if (request.inputs.empty()) return Error(ErrorCode::kInvalidArgument, "no inputs");
  for (const std::vector<TokenId>& input : request.inputs) {
    if (input.empty()) return Error(ErrorCode::kInvalidArgument, "an empty input");
    if (input.size() > static_cast<size_t>(options_.max_model_len)) {
      return Error(ErrorCode::kInvalidArgument, "an input is longer than the context");
    }
    if (std::ranges::any_of(input, [&](TokenId id) { return id < 0 || id >= vocab_size(); })) {
      return Error(ErrorCode::kInvalidArgument, "a token id is outside the model's vocabulary");
    }
  }
  return {};
}

Result<void> Encoder::CheckRoom(const std::string& tenant, const Job& job) const {
  const auto n = static_cast<int32_t>(queue_.size());
  const int32_t room = 1 + options_.max_waiting;
  const auto n_inputs = static_cast<int64_t>(job.inputs.size());
  if (n >= room || (n > 0 && (waiting_inputs_ + n_inputs > options_.max_waiting_inputs ||
                              waiting_tokens_ + job.n_tokens > options_.max_waiting_tokens))) {
    return Error(ErrorCode::kUnavailable, "the engine's queue is full; try again later");
  }
  const auto found = jobs_by_tenant_.find(tenant);
  const int32_t mine = found == jobs_by_tenant_.end() ? 0 : found->second;
  if (n + 1 > room - room / kReservedPart && mine > room / 2) {
    return Error(ErrorCode::kExhausted,
                 "this client's requests fill most of the engine's queue; what is left is for "
                 "others: wait for some of them to end");
  }
  return {};
}

Result<uint64_t> Encoder::Submit(EncodeRequest request, Done done) {
  TRY(CheckRequest(request));
  auto job = std::make_shared<Job>(std::move(request), std::move(done), clock_.MonotonicNanos());
  const std::lock_guard lock(mu_);
  if (draining_) return ShuttingDown();
  TRY(CheckRoom(job->tenant, *job));
  job->id = next_id_++;
  ++jobs_by_tenant_[job->tenant];
  waiting_inputs_ += static_cast<int64_t>(job->inputs.size());
  waiting_tokens_ += job->n_tokens;
  queue_.push_back(job);
  ++stats_.n_waiting;
  changed_.notify_one();
  return job->id;
}

// The job leaves the queue's sums; its place in the queue is the caller's.
void Encoder::Forget(const Job& job) {
  waiting_inputs_ -= static_cast<int64_t>(job.inputs.size());
  waiting_tokens_ -= job.n_tokens;
  const auto tenant = jobs_by_tenant_.find(job.tenant);
  if (--tenant->second == 0) jobs_by_tenant_.erase(tenant);
  --(job.next > 0 ? stats_.n_running : stats_.n_waiting);
}

void Encoder::Cancel(uint64_t id) {
  std::shared_ptr<Job> job;  // its `done` ends outside the lock
  const std::lock_guard lock(mu_);
  const auto found = std::ranges::find(queue_, id, [](const auto& known) { return known->id; });
  if (found == queue_.end()) return;
  job = std::move(*found);
  queue_.erase(found);
  Forget(*job);
  ++stats_.cancelled;
}

void Encoder::Drain() {
  const std::lock_guard lock(mu_);
  draining_ = true;
}

void Encoder::Stop() {
  {
    const std::lock_guard lock(mu_);
    draining_ = true;
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Encoder::Probe(std::function<void(Result<void>)> done) {
  const int64_t began = step_began_nanos_.load(std::memory_order_relaxed);
  if (began != 0) {
    const int64_t age_ms = (clock_.MonotonicNanos() - began) / 1'000'000;
    if (age_ms > options_.hang_ms) {
      return done(Error(ErrorCode::kUnavailable, "the step under way has not ended for " +
                                                     std::to_string(age_ms / 1000) + " s"));
    }
    if (healthy_.load(std::memory_order_relaxed)) return done({});
  }
  std::unique_lock lock(mu_);
  if (stopping_) {
    lock.unlock();
    return done(ShuttingDown());
  }
  probes_.push_back(std::move(done));
  changed_.notify_one();
}

EngineStats Encoder::stats() const {
  const std::lock_guard lock(mu_);
  return stats_;
}

int32_t Encoder::RetryAfterSeconds() const {
  const std::lock_guard lock(mu_);
  const double seconds = seconds_per_token_ * static_cast<double>(waiting_tokens_);
  return static_cast<int32_t>(std::clamp(std::ceil(seconds), 1.0, 60.0));
}

}  // namespace skerry::engine
