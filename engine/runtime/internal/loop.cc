// The engine's thread: input, step, output, over and over.
#include <algorithm>
#include <chrono>
#include <utility>

#include "engine/runtime/internal/job.h"

namespace skerry::engine {
namespace {

constexpr double kNano = 1e-9;
// Steps with fewer tokens say nothing about the speed of prompts.
constexpr int32_t kMeasuredTokens = 16;
constexpr int32_t kLeastStepTokens = 32;
// Weight of the newest value in running means.
constexpr double kNewest = 0.3;

double Seconds(int64_t from_nanos, int64_t to_nanos) {
  return static_cast<double>(to_nanos - from_nanos) * kNano;
}

}  // namespace

void Engine::Run() {
  while (TakeInput()) {
    if (scheduler_.idle()) {
      Canary();
    } else {
      Step();
    }
    Publish();
    if (last_step_ && options_.on_step) options_.on_step(own_stats_);
    AnswerProbes();
  }
  FailAll(Error(ErrorCode::kUnavailable, "the engine is shutting down"));
  last_step_ = Error(ErrorCode::kUnavailable, "the engine is shutting down");
  AnswerProbes();
  Publish();
}

// Waits for something to do, at most until the next canary, and takes over what other threads left.
// False when stopping.
bool Engine::TakeInput() {
  while (true) {
    std::vector<Submission> inbox;
    std::vector<RequestId> cancelled;
    bool step = false;
    bool stopping = false;
    {
      std::unique_lock lock(mu_);
      const auto due = [this] {
        return stopping_ || !inbox_.empty() || !cancelled_.empty() || !probes_.empty();
      };
      if (scheduler_.idle()) {
        step =
            !changed_.wait_for(lock, std::chrono::milliseconds(options_.canary_interval_ms), due);
      }
      inbox.swap(inbox_);
      cancelled.swap(cancelled_);
      stopping = stopping_;
      step = step || !probes_.empty();
    }
    for (Submission& submission : inbox) Accept(std::move(submission));
    for (const RequestId id : cancelled) {
      // Answers of one request have consecutive ids.
      auto job = jobs_.lower_bound(id);
      while (job != jobs_.end() && job->second->group == id) {
        ++own_stats_.cancelled;
        const RequestId its_id = job->first;
        ++job;
        End(its_id);
      }
    }
    if (stopping) return false;
    if (step || !scheduler_.idle()) return true;
    Publish();
  }
}

SequenceSpec Engine::SpecOf(const Submission& submission, int32_t choice) const {
  const GenerationRequest& request = submission.request;
  SequenceSpec spec;
  spec.id = submission.id + static_cast<RequestId>(choice);
  spec.prompt = request.prompt;
  spec.max_new = request.max_tokens;
  spec.priority = request.priority;
  spec.tenant = request.tenant;
  spec.weight = request.weight;
  spec.root = options_.prefix_caching
                  ? RootName(request.tenant, request.tenant_salt, request.cache_salt)
                  : RootName(submission.id);
  spec.all_logits = request.prompt_logprobs.has_value() && choice == 0;
  spec.after = choice > 0 ? submission.id : 0;
  return spec;
}

void Engine::Accept(Submission submission) {
  for (size_t i = 0; i < submission.sinks.size(); ++i) {
    const auto choice = static_cast<int32_t>(i);
    SequenceSpec spec = SpecOf(submission, choice);
    SamplingParams params = submission.request.sampling;
    params.seed = ChoiceSeed(params.seed, choice);
    auto job = std::make_unique<Job>(submission.request, spec.id, submission.id, std::move(params),
                                     std::move(submission.sinks[i]));
    if (choice > 0) job->prompt_logprobs.reset();
    job->arrival_nanos = submission.arrival_nanos;
    const RequestId id = spec.id;
    const Result<void> added = scheduler_.Add(std::move(spec));
    jobs_[id] = std::move(job);
    if (!added) End(id)->OnFailed(added.error());
  }
}

Result<void> Engine::Forward(std::span<const SequenceChunk> chunks, int32_t n_tokens) {
  const int64_t began = clock_.MonotonicNanos();
  step_began_nanos_.store(std::max<int64_t>(began, 1), std::memory_order_relaxed);
  Result<void> done = model_->Forward(chunks, logits_);
  step_began_nanos_.store(0, std::memory_order_relaxed);
  healthy_.store(done.has_value(), std::memory_order_relaxed);
  last_step_ = done;
  if (done) {
    ++own_stats_.steps;
    Adapt(n_tokens, Seconds(began, clock_.MonotonicNanos()));
  }
  return done;
}

// A step must not keep those who wait for their next token much longer than the target.
void Engine::Adapt(int32_t n_tokens, double seconds) {
  if (n_tokens < kMeasuredTokens) return;
  const double measured = seconds / n_tokens;
  seconds_per_token_ =
      seconds_per_token_ == 0 ? measured : kNewest * measured + (1 - kNewest) * seconds_per_token_;
  const double fitting = options_.step_target_ms / 1e3 / std::max(seconds_per_token_, 1e-9);
  const double most = options_.max_batched_tokens;
  scheduler_.SetStepTokens(
      static_cast<int32_t>(std::clamp(fitting, std::min<double>(kLeastStepTokens, most), most)));
}

// One token through all layers: whatever it says, the model can compute.
void Engine::Canary() {
  const TokenId token = 0;
  SequenceChunk chunk;
  chunk.tokens = std::span(&token, 1);
  chunk.blocks = std::span(&canary_block_, 1);
  if (Forward(std::span(&chunk, 1), 1)) ++own_stats_.canaries;
}

// Before the thread starts; it is not counted.
Result<void> Engine::ProveDecoding() {
  Canary();
  const int32_t n_blocks = own_stats_.n_blocks;
  own_stats_ = EngineStats();
  own_stats_.n_blocks = n_blocks;
  return last_step_;
}

void Engine::Step() {
  const std::vector<Scheduler::Part> parts = scheduler_.Plan();
  if (parts.empty()) return;
  std::vector<SequenceChunk> chunks;
  chunks.reserve(parts.size());
  int32_t n_tokens = 0;
  const int64_t now = clock_.MonotonicNanos();
  for (const Scheduler::Part& part : parts) {
    chunks.push_back(part.chunk);
    n_tokens += static_cast<int32_t>(part.chunk.tokens.size());
    Job& job = *jobs_.at(part.id);
    if (job.scheduled_nanos == 0) {
      job.scheduled_nanos = now;
      own_stats_.prompt_tokens += job.prompt_tokens;
      own_stats_.queue_time.Observe(Seconds(job.arrival_nanos, now));
    }
  }
  own_stats_.iteration_tokens.Observe(n_tokens);
  const std::vector<internal::Guide*> guides = GuidesOf(parts);
  guides_->Begin(guides);
  const Result<void> done = Forward(chunks, n_tokens);
  guides_->Wait();
  for (const internal::Guide* guide : guides) {
    own_stats_.mask_time.Observe(guide->prepare_seconds());
  }
  if (!done) {
    FailAll(Error(ErrorCode::kInternal, "the model failed: " + done.error().message()));
    return;
  }
  const auto vocab_size = static_cast<size_t>(model_->info().vocab_size);
  // Prompts' logits read the chunk, which lies in the scheduler: before anything changes there.
  size_t row = 0;
  for (const Scheduler::Part& part : parts) {
    const auto n_rows = static_cast<size_t>(part.n_logits());
    const std::span<float> rows = std::span(logits_).subspan(row * vocab_size, n_rows * vocab_size);
    if (part.chunk.logits == SequenceChunk::Logits::kAll) {
      HandlePromptLogits(*jobs_.at(part.id), part, rows);
    }
    row += n_rows;
  }
  for (const Scheduler::Part& part : parts) scheduler_.Computed(part);
  row = 0;
  for (const Scheduler::Part& part : parts) {
    row += static_cast<size_t>(part.n_logits());
    if (!part.samples) continue;
    HandleLogits(*jobs_.at(part.id),
                 std::span(logits_).subspan((row - 1) * vocab_size, vocab_size));
  }
}

// Row i of the chunk is about the token behind it. Positions that come again after a preemption are
// known.
void Engine::HandlePromptLogits(Job& job, const Scheduler::Part& part,
                                std::span<const float> logits) {
  const auto vocab_size = static_cast<size_t>(model_->info().vocab_size);
  for (size_t i = 0; i < part.chunk.tokens.size(); ++i) {
    const size_t next = part.chunk.position + i + 1;
    if (next >= job.prompt.size() || next != job.prompt_result.size() + 1) continue;
    job.prompt_result.push_back(LogprobsAt(logits.subspan(i * vocab_size, vocab_size),
                                           job.prompt[next], *job.prompt_logprobs));
  }
}

// Of the answers that get a token in this step and follow a grammar.
std::vector<internal::Guide*> Engine::GuidesOf(std::span<const Scheduler::Part> parts) {
  std::vector<internal::Guide*> guides;
  for (const Scheduler::Part& part : parts) {
    Job& job = *jobs_.at(part.id);
    if (part.samples && job.guide && job.forced.empty()) guides.push_back(&*job.guide);
  }
  return guides;
}

// Nothing: a grammar's text is complete.
Result<std::optional<TokenId>> Engine::NextToken(Job& job, std::span<float> logits) {
  if (!job.forced.empty()) {
    const TokenId token = job.forced.front();
    job.forced.pop_front();
    job.sampler.Accept(token);
    return std::optional<TokenId>(token);
  }
  if (job.guide) return job.guide->Choose(job.sampler, logits);
  const TokenId token = TRY(job.sampler.Sample(logits));
  return std::optional<TokenId>(token);
}

void Engine::HandleLogits(Job& job, std::span<float> logits) {
  const int64_t now = clock_.MonotonicNanos();
  const bool first = job.first_token_nanos == 0;
  if (first && job.prompt_logprobs) job.sink->OnPrompt(std::move(job.prompt_result));
  std::vector<float> raw;
  if (job.logprobs) raw.assign(logits.begin(), logits.end());
  const Result<std::optional<TokenId>> next = NextToken(job, logits);
  if (!next) {
    ++own_stats_.failed;
    End(job.id)->OnFailed(next.error());
    return;
  }
  if (!*next) return Finish(job, FinishReason::kStop, now);
  const TokenId token = **next;
  ++job.completion_tokens;
  ++own_stats_.generated_tokens;
  (first ? own_stats_.first_token : own_stats_.inter_token)
      .Observe(Seconds(first ? job.arrival_nanos : job.last_token_nanos, now));
  if (first) job.first_token_nanos = now;
  job.last_token_nanos = now;

  std::optional<PositionLogprobs> logprobs;
  if (job.logprobs) logprobs = LogprobsAt(raw, token, *job.logprobs);
  const bool stop_token = std::ranges::find(job.stop_tokens, token) != job.stop_tokens.end() ||
                          (job.guide && job.guide->ended());
  const bool stopped = stop_token || !job.sink->OnToken({token, logprobs ? &*logprobs : nullptr});
  if (!stopped && scheduler_.Append(job.id, token)) return;
  Finish(job, stopped ? FinishReason::kStop : FinishReason::kLength, now);
}

void Engine::Finish(Job& job, FinishReason reason, int64_t now) {
  const GenerationResult result = {reason, job.completion_tokens, scheduler_.cached_tokens(job.id)};
  const bool stopped = reason == FinishReason::kStop;
  ++(stopped ? own_stats_.finished_stop : own_stats_.finished_length);
  if (job.first_token_nanos == 0) job.first_token_nanos = now;  // an answer without a token
  own_stats_.request_time.Observe(Seconds(job.arrival_nanos, now));
  own_stats_.prefill_time.Observe(Seconds(job.scheduled_nanos, job.first_token_nanos));
  own_stats_.decode_time.Observe(Seconds(job.first_token_nanos, now));
  own_stats_.request_prompt_tokens.Observe(job.prompt_tokens);
  own_stats_.request_generated_tokens.Observe(job.completion_tokens);
  {
    const std::lock_guard lock(stats_mu_);
    seconds_per_answer_ =
        kNewest * Seconds(job.scheduled_nanos, now) + (1 - kNewest) * seconds_per_answer_;
  }
  // The slot is free before the client learns of the end: its next request must find it.
  End(job.id)->OnFinished(result);
}

// Forgets the answer and returns its sink; null for an unknown one.
std::shared_ptr<GenerationSink> Engine::End(RequestId id) {
  scheduler_.Remove(id);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return nullptr;
  const std::unique_ptr<Job> job = std::move(found->second);
  jobs_.erase(found);
  const std::lock_guard lock(mu_);
  n_live_.fetch_sub(1, std::memory_order_relaxed);
  const auto tenant = live_by_tenant_.find(job->tenant);
  if (--tenant->second == 0) live_by_tenant_.erase(tenant);
  return std::move(job->sink);
}

void Engine::FailAll(const Error& error) {
  while (!jobs_.empty()) {
    ++own_stats_.failed;
    End(jobs_.begin()->first)->OnFailed(error);
  }
}

void Engine::AnswerProbes() {
  std::vector<std::function<void(Result<void>)>> probes;
  {
    const std::lock_guard lock(mu_);
    probes.swap(probes_);
  }
  for (const auto& probe : probes) probe(last_step_);
}

// What other threads see of the engine.
void Engine::Publish() {
  own_stats_.n_running = static_cast<int32_t>(scheduler_.n_running());
  own_stats_.n_waiting = static_cast<int32_t>(scheduler_.n_waiting());
  own_stats_.n_blocks_used = pool_.n_blocks() - 1 - pool_.n_free();
  own_stats_.preemptions = scheduler_.counts().preemptions;
  own_stats_.prefix_queries = scheduler_.counts().prefix_queries;
  own_stats_.prefix_hits = scheduler_.counts().prefix_hits;
  std::map<RequestId, int32_t> positions;
  int32_t position = 0;
  for (const SequenceId id : scheduler_.Waiting()) positions[id] = position++;
  const std::lock_guard lock(stats_mu_);
  stats_ = own_stats_;
  positions_.swap(positions);
}

}  // namespace skerry::engine
