#include "bundler/format/chunks.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

namespace skerry::format {

namespace {

constexpr unsigned kMaxThreads = 16;

// Guarded by mu_ except `work_`.
class OrderedRun {
 public:
  explicit OrderedRun(const ChunkWork& work) : work_(work) {}

  void Work() {
    const auto buffer = std::make_unique_for_overwrite<uint8_t[]>(work_.buffer_bytes);
    std::unique_lock lock(mu_);
    while (!error_ && next_produced_ < work_.count) {
      const uint64_t idx = next_produced_++;
      lock.unlock();
      const Result<size_t> used = work_.produce(idx, {buffer.get(), work_.buffer_bytes});
      lock.lock();
      turn_.wait(lock, [&] { return error_ || next_consumed_ == idx; });
      if (error_) return;
      // Nobody else passes the wait above before next_consumed_ moves on.
      lock.unlock();
      Result<void> consumed =
          used ? work_.consume(idx, {buffer.get(), *used}) : Result<void>(used.error());
      lock.lock();
      if (consumed) {
        ++next_consumed_;
      } else {
        error_ = std::move(consumed).error();
      }
      turn_.notify_all();
    }
  }

  Result<void> Finish() {
    if (error_) return std::move(*error_);
    return {};
  }

 private:
  const ChunkWork& work_;
  std::mutex mu_;
  std::condition_variable turn_;
  uint64_t next_produced_ = 0;
  uint64_t next_consumed_ = 0;
  std::optional<Error> error_;
};

class UnorderedRun {
 public:
  explicit UnorderedRun(const ParallelWork& work) : work_(work) {}

  void Work() {
    const auto buffer = std::make_unique_for_overwrite<uint8_t[]>(work_.buffer_bytes);
    while (!failed_) {
      const uint64_t idx = next_++;
      if (idx >= work_.count) return;
      Result<void> done = work_.run(idx, {buffer.get(), work_.buffer_bytes});
      if (done) continue;
      const std::lock_guard lock(mu_);
      failed_ = true;
      if (error_ && error_idx_ < idx) continue;
      error_idx_ = idx;
      error_ = std::move(done).error();
    }
  }

  // After all threads have ended.
  Result<void> Finish() {
    if (error_) return std::move(*error_);
    return {};
  }

 private:
  const ParallelWork& work_;
  std::atomic<uint64_t> next_ = 0;
  std::atomic<bool> failed_ = false;
  std::mutex mu_;
  uint64_t error_idx_ = 0;      // guarded by mu_
  std::optional<Error> error_;  // guarded by mu_
};

// `run.Work()` in up to `threads` threads, this one among them.
template <typename Run>
Result<void> RunInThreads(Run& run, unsigned threads, uint64_t count) {
  std::vector<std::thread> helpers;
  const uint64_t wanted =
      std::min<uint64_t>({threads == 0 ? DefaultThreads() : threads, kMaxThreads, count});
  for (uint64_t i = 1; i < wanted; ++i) {
    // Without another thread the work is slower, not wrong.
    try {
      helpers.emplace_back([&run] { run.Work(); });
    } catch (const std::system_error&) {
      break;
    }
  }
  run.Work();
  for (std::thread& helper : helpers) helper.join();
  return run.Finish();
}

}  // namespace

Result<void> RunChunks(const ChunkWork& work) {
  OrderedRun run(work);
  return RunInThreads(run, work.threads, work.count);
}

Result<void> RunParallel(const ParallelWork& work) {
  UnorderedRun run(work);
  return RunInThreads(run, work.threads, work.count);
}

unsigned DefaultThreads() {
  return std::clamp(std::thread::hardware_concurrency(), 1U, kMaxThreads);
}

}  // namespace skerry::format
