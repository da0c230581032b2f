// The encoder's thread: a batch, its vectors, over and over.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "engine/cache/block_pool.h"
#include "engine/runtime/internal/encode_job.h"

namespace skerry::engine {
namespace {

constexpr double kNano = 1e-9;
constexpr double kNewest = 0.3;  // weight of the newest value in the running mean

}  // namespace

void Encoder::Run() {
  while (AwaitWork()) {
    const std::vector<Part> parts = TakeBatch();
    if (parts.empty()) {
      Canary();
    } else {
      Step(parts);
    }
    if (last_step_ && options_.on_step) options_.on_step(stats());
    AnswerProbes();
  }
  std::deque<std::shared_ptr<Job>> left;
  {
    const std::lock_guard lock(mu_);
    left.swap(queue_);
    for (const auto& job : left) Forget(*job);
    stats_.failed += left.size();
  }
  last_step_ = Error(ErrorCode::kUnavailable, "the engine is shutting down");
  for (const auto& job : left) job->done(last_step_.error());
  AnswerProbes();
}

// Until there is something to compute, at most until the next canary. False when stopping.
bool Encoder::AwaitWork() {
  std::unique_lock lock(mu_);
  changed_.wait_for(lock, std::chrono::milliseconds(options_.canary_interval_ms),
                    [this] { return stopping_ || !queue_.empty() || !probes_.empty(); });
  return !stopping_;
}

// As many inputs as a step holds, oldest request first. A request that has more goes behind the
// others, so that nobody waits for the whole of a long list.
std::vector<Encoder::Part> Encoder::TakeBatch() {
  std::vector<Part> parts;
  const std::lock_guard lock(mu_);
  const int64_t now = clock_.MonotonicNanos();
  int64_t tokens_left = options_.max_batched_tokens;
  auto blocks_left = static_cast<int64_t>(blocks_.size());
  const auto fits = [&](const std::vector<TokenId>& input) {
    const auto n = static_cast<int64_t>(input.size());
    if (n > tokens_left || BlockPool::BlocksFor(n) > blocks_left) return false;
    if (parts.size() == static_cast<size_t>(kMaxStepInputs)) return false;
    tokens_left -= n;
    blocks_left -= BlockPool::BlocksFor(n);
    return true;
  };
  for (size_t i = 0; i < queue_.size(); ++i) {
    const std::shared_ptr<Job> job = queue_[i];
    const bool waited = job->next == 0;
    while (job->next < job->inputs.size() && fits(job->inputs[job->next])) {
      parts.push_back({job, job->next++});
    }
    if (waited && job->next > 0) {
      --stats_.n_waiting;
      ++stats_.n_running;
      stats_.queue_time.Observe(static_cast<double>(now - job->arrival_nanos) * kNano);
    }
    if (job->next == job->inputs.size()) continue;
    if (job->next > 0) {
      queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(i));
      queue_.push_back(job);
    }
    break;
  }
  return parts;
}

Result<void> Encoder::Encode(std::span<const SequenceChunk> chunks) {
  int64_t n_tokens = 0;
  for (const SequenceChunk& chunk : chunks) n_tokens += static_cast<int64_t>(chunk.tokens.size());
  const int64_t began = clock_.MonotonicNanos();
  step_began_nanos_.store(std::max<int64_t>(began, 1), std::memory_order_relaxed);
  Result<void> done = model_->Encode(chunks, rows_);
  if (done && !std::ranges::all_of(rows_, [](float value) { return std::isfinite(value); })) {
    done = Error(ErrorCode::kInternal, "its numbers are not finite");
  }
  step_began_nanos_.store(0, std::memory_order_relaxed);
  healthy_.store(done.has_value(), std::memory_order_relaxed);
  last_step_ = done;
  if (!done) return done;
  const std::lock_guard lock(mu_);
  ++stats_.steps;
  const double measured =
      static_cast<double>(clock_.MonotonicNanos() - began) * kNano / static_cast<double>(n_tokens);
  seconds_per_token_ =
      seconds_per_token_ == 0 ? measured : kNewest * measured + (1 - kNewest) * seconds_per_token_;
  return done;
}

// One token through all layers: whatever it says, the model can compute.
void Encoder::Canary() {
  const TokenId token = 0;
  const SequenceChunk chunk = {std::span(&token, 1), 0, blocks_, SequenceChunk::Logits::kAll};
  if (!Encode(std::span(&chunk, 1))) return;
  const std::lock_guard lock(mu_);
  ++stats_.canaries;
}

void Encoder::Step(const std::vector<Part>& parts) {
  const bool last_only = options_.pooling == Pooling::kLast;
  std::vector<SequenceChunk> chunks;
  std::span<const BlockId> free = blocks_;
  for (const auto& [job, index] : parts) {
    const std::vector<TokenId>& input = job->inputs[index];
    const auto n_blocks =
        static_cast<size_t>(BlockPool::BlocksFor(static_cast<int64_t>(input.size())));
    chunks.push_back({input, 0, free.first(n_blocks),
                      last_only ? SequenceChunk::Logits::kLast : SequenceChunk::Logits::kAll});
    free = free.subspan(n_blocks);
  }
  const Result<void> done = Encode(chunks);
  const auto row_width = static_cast<size_t>(width());
  std::span<const float> rows = rows_;
  for (const auto& [job, index] : parts) {
    if (!done) break;
    const size_t n = (last_only ? 1 : job->inputs[index].size()) * row_width;
    std::vector<float>& vector = job->vectors[index];
    vector = Pool(rows.first(n), row_width, options_.pooling);
    if (options_.normalise) Normalise(vector);
    rows = rows.subspan(n);
  }
  Finish(parts, done);
}

// Requests whose last input was computed get their vectors; a step that failed ends all of its.
// What was cancelled meanwhile is no longer in the queue.
void Encoder::Finish(const std::vector<Part>& parts, const Result<void>& done) {
  std::vector<std::shared_ptr<Job>> ended;
  {
    const std::lock_guard lock(mu_);
    const int64_t now = clock_.MonotonicNanos();
    double n_tokens = 0;
    for (const auto& [job, index] : parts) {
      n_tokens += static_cast<double>(job->inputs[index].size());
      const bool over = !done || index + 1 == job->inputs.size();
      const auto found = std::ranges::find(queue_, job);
      if (!over || found == queue_.end()) continue;
      ended.push_back(job);
      queue_.erase(found);
      Forget(*job);
      ++(done ? stats_.finished_stop : stats_.failed);
      if (!done) continue;
      stats_.request_time.Observe(static_cast<double>(now - job->arrival_nanos) * kNano);
      stats_.request_prompt_tokens.Observe(static_cast<double>(job->n_tokens));
    }
    stats_.iteration_tokens.Observe(n_tokens);
    if (done) stats_.prompt_tokens += static_cast<uint64_t>(n_tokens);
  }
  for (const std::shared_ptr<Job>& job : ended) {
    if (done) {
      job->done(std::move(job->vectors));
    } else {
      job->done(Error(ErrorCode::kInternal, "the model failed: " + done.error().message()));
    }
  }
}

void Encoder::AnswerProbes() {
  std::vector<std::function<void(Result<void>)>> probes;
  {
    const std::lock_guard lock(mu_);
    probes.swap(probes_);
  }
  for (const auto& probe : probes) probe(last_step_);
}

}  // namespace skerry::engine
