#include "bundler/format/chunks.h"

#include <algorithm>
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

}  // namespace

Result<void> RunChunks(const ChunkWork& work) {
  OrderedRun run(work);
  std::vector<std::thread> helpers;
  const uint64_t wanted = std::min<uint64_t>({work.threads, kMaxThreads, work.count});
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

unsigned DefaultThreads() {
  return std::clamp(std::thread::hardware_concurrency(), 1U, kMaxThreads);
}

}  // namespace skerry::format
