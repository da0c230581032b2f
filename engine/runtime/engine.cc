#include "engine/runtime/engine.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>

namespace skerry::engine {

// One request as the engine's thread sees it.
struct Engine::Job {
  Job(GenerationRequest request, std::shared_ptr<GenerationSink> its_sink)
      : sampler(request.sampling,
                {.banned = std::move(request.banned), .stop_tokens = request.stop_tokens}),
        stop_tokens(std::move(request.stop_tokens)),
        forced(request.forced.begin(), request.forced.end()),
        sink(std::move(its_sink)) {}

  Sampler sampler;
  std::vector<TokenId> stop_tokens;
  std::deque<TokenId> forced;
  std::shared_ptr<GenerationSink> sink;
  int32_t completion_tokens = 0;
};

Result<std::unique_ptr<Engine>> Engine::Start(std::unique_ptr<LanguageModel> model,
                                              EngineOptions options) {
  const ModelInfo& info = model->info();
  if (!info.generates) {
    return Error(ErrorCode::kInvalidArgument, "an embedding model cannot generate text");
  }
  const uint64_t block_bytes = std::max<uint64_t>(info.kv_bytes_per_block, 1);
  const auto affordable =
      static_cast<int64_t>(std::min<uint64_t>(options.kv_cache_bytes / block_bytes, INT32_MAX));
  const int64_t fitting = affordable * info.block_tokens;
  if (options.max_model_len == 0) {
    options.max_model_len = static_cast<int32_t>(std::min<int64_t>(info.max_position, fitting));
  } else if (options.max_model_len < 2 || options.max_model_len > info.max_position) {
    return Error(ErrorCode::kInvalidArgument,
                 "--max-model-len " + std::to_string(options.max_model_len) +
                     ": must be 2 to the model's own " + std::to_string(info.max_position));
  }
  if (options.max_num_seqs < 1 || options.max_waiting < 0 || options.max_batched_tokens < 1) {
    return Error(ErrorCode::kInvalidArgument, "--max-num-seqs and queue limits must be positive");
  }
  if (options.max_model_len < 2 || fitting < options.max_model_len) {
    return Error(ErrorCode::kExhausted,
                 "memory for keys and values holds " + std::to_string(fitting) +
                     " tokens, less than the " + std::to_string(options.max_model_len) +
                     " of one sequence: lower --max-model-len or raise --kv-cache-memory-bytes");
  }
  const int64_t per_sequence =
      (static_cast<int64_t>(options.max_model_len) + info.block_tokens - 1) / info.block_tokens;
  const auto n_blocks =
      static_cast<int32_t>(std::min(affordable, per_sequence * options.max_num_seqs));
  TRY(model->AllocateCache(n_blocks));
  std::unique_ptr<Engine> engine(new Engine(std::move(model), options, n_blocks));
  engine->thread_ = std::thread([raw = engine.get()] { raw->Run(); });
  return engine;
}

Engine::Engine(std::unique_ptr<LanguageModel> model, const EngineOptions& options, int32_t n_blocks)
    : model_(std::move(model)),
      options_(options),
      pool_(n_blocks),
      scheduler_({.max_running = options.max_num_seqs, .step_tokens = options.max_batched_tokens},
                 pool_, model_->info().block_tokens) {}

Engine::~Engine() { Stop(); }

Result<RequestId> Engine::Submit(GenerationRequest request, std::shared_ptr<GenerationSink> sink) {
  const int32_t vocab_size = model_->info().vocab_size;
  const auto outside = [vocab_size](TokenId id) { return id < 0 || id >= vocab_size; };
  if (request.prompt.empty() || request.max_tokens < 1) {
    return Error(ErrorCode::kInvalidArgument, "an empty prompt or nothing to generate");
  }
  if (std::ranges::any_of(request.prompt, outside) ||
      std::ranges::any_of(request.forced, outside)) {
    return Error(ErrorCode::kInvalidArgument, "a token id is outside the model's vocabulary");
  }
  if (static_cast<int64_t>(request.prompt.size()) + request.max_tokens > options_.max_model_len) {
    return Error(ErrorCode::kInvalidArgument, "prompt and answer are longer than the context");
  }
  const std::lock_guard lock(mu_);
  if (stopping_) return Error(ErrorCode::kUnavailable, "the engine is shutting down");
  if (n_live() >= options_.max_num_seqs + options_.max_waiting) {
    return Error(ErrorCode::kUnavailable, "the engine's queue is full; try again later");
  }
  const RequestId id = next_id_++;
  n_live_.fetch_add(1, std::memory_order_relaxed);
  inbox_.push_back({id, std::move(request), std::move(sink)});
  changed_.notify_one();
  return id;
}

void Engine::Cancel(RequestId id) {
  const std::lock_guard lock(mu_);
  cancelled_.push_back(id);
  changed_.notify_one();
}

void Engine::Stop() {
  {
    const std::lock_guard lock(mu_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Engine::Run() {
  while (TakeInput()) Step();
  FailAll(Error(ErrorCode::kUnavailable, "the engine is shutting down"));
}

// Waits for something to do and takes over what other threads left. False when stopping.
bool Engine::TakeInput() {
  std::vector<Submission> inbox;
  std::vector<RequestId> cancelled;
  bool stopping = false;
  {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [this] {
      return stopping_ || !inbox_.empty() || !cancelled_.empty() || !scheduler_.idle();
    });
    inbox.swap(inbox_);
    cancelled.swap(cancelled_);
    stopping = stopping_;
  }
  for (Submission& submission : inbox) Accept(std::move(submission));
  for (const RequestId id : cancelled) End(id);
  return !stopping;
}

void Engine::Accept(Submission submission) {
  const RequestId id = submission.id;
  SequenceSpec spec{.id = id,
                    .prompt = std::move(submission.request.prompt),
                    .max_new = submission.request.max_tokens,
                    .root = RootName(id)};
  auto job = std::make_unique<Job>(std::move(submission.request), std::move(submission.sink));
  const Result<void> added = scheduler_.Add(std::move(spec));
  if (!added) {
    n_live_.fetch_sub(1, std::memory_order_relaxed);
    job->sink->OnFailed(added.error());
    return;
  }
  jobs_[id] = std::move(job);
}

void Engine::Step() {
  const std::vector<Scheduler::Part> parts = scheduler_.Plan();
  if (parts.empty()) return;
  std::vector<SequenceChunk> chunks;
  chunks.reserve(parts.size());
  for (const Scheduler::Part& part : parts) chunks.push_back(part.chunk);
  const Result<void> done = model_->Forward(chunks, logits_);
  healthy_.store(done.has_value(), std::memory_order_relaxed);
  if (!done) {
    FailAll(Error(ErrorCode::kInternal, "the model failed: " + done.error().message()));
    return;
  }
  // What follows changes the scheduler and with it the spans in `parts`: ids and flags only.
  for (const Scheduler::Part& part : parts) scheduler_.Computed(part);
  const auto vocab_size = static_cast<size_t>(model_->info().vocab_size);
  size_t row = 0;
  for (const Scheduler::Part& part : parts) {
    if (!part.samples) continue;
    HandleLogits(part.id, std::span(logits_).subspan(row++ * vocab_size, vocab_size));
  }
}

void Engine::HandleLogits(RequestId id, std::span<float> logits) {
  Job& job = *jobs_.at(id);
  TokenId token = 0;
  if (!job.forced.empty()) {
    token = job.forced.front();
    job.forced.pop_front();
    job.sampler.Accept(token);
  } else {
    const Result<TokenId> sampled = job.sampler.Sample(logits);
    if (!sampled) {
      End(id)->OnFailed(sampled.error());
      return;
    }
    token = *sampled;
  }
  ++job.completion_tokens;
  const bool stop_token = std::ranges::find(job.stop_tokens, token) != job.stop_tokens.end();
  const bool stopped = stop_token || !job.sink->OnToken(token);
  if (!stopped && scheduler_.Append(id, token)) return;
  const int32_t completion_tokens = job.completion_tokens;
  // The slot is free before the client learns of the end: its next request must find it.
  End(id)->OnFinished({stopped ? FinishReason::kStop : FinishReason::kLength, completion_tokens});
}

// Forgets the request and returns its sink; null for an unknown one.
std::shared_ptr<GenerationSink> Engine::End(RequestId id) {
  scheduler_.Remove(id);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return nullptr;
  std::shared_ptr<GenerationSink> sink = std::move(found->second->sink);
  jobs_.erase(found);
  n_live_.fetch_sub(1, std::memory_order_relaxed);
  return sink;
}

void Engine::FailAll(const Error& error) {
  {
    const std::lock_guard lock(mu_);
    if (stopping_) {
      for (Submission& submission : inbox_) {
        jobs_[submission.id] =
            std::make_unique<Job>(std::move(submission.request), std::move(submission.sink));
      }
      inbox_.clear();
    }
  }
  while (!jobs_.empty()) {
    End(jobs_.begin()->first)->OnFailed(error);
  }
}

}  // namespace skerry::engine
