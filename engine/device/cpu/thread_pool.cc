#include "engine/device/cpu/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <system_error>

namespace skerry::engine {
namespace {

// About 20 microseconds: longer than the gap between two ops, shorter than a sleep costs.
constexpr int kSpins = 1000;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Returns when `value` is no longer `old`.
template <typename T>
void AwaitChange(const std::atomic<T>& value, T old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    Pause();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

int UsableProcessors() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

Result<std::unique_ptr<ThreadPool>> ThreadPool::Create(int n_threads) {
  if (n_threads < 1) return Error(ErrorCode::kInvalidArgument, "a thread pool of no threads");
  std::unique_ptr<ThreadPool> pool(new ThreadPool);
  // Signals belong to the program's own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = true;
  pool->workers_.reserve(n_threads - 1);
  for (int thread = 1; thread < n_threads && started; ++thread) {
    try {  // std::thread reports failure only so
      pool->workers_.emplace_back([raw = pool.get(), thread] { raw->Worker(thread); });
    } catch (const std::system_error&) {
      started = false;
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!started) {
    return Error(ErrorCode::kExhausted,
                 "cannot start " + std::to_string(n_threads) + " threads; use fewer");
  }
  return pool;
}

ThreadPool::~ThreadPool() {
  stopping_.store(true, std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::TakeTasks(int thread) {
  for (;;) {
    const int64_t begin = next_.fetch_add(job_.grain, std::memory_order_relaxed);
    if (begin >= job_.n) return;
    job_.call(job_.context, begin, std::min(begin + job_.grain, job_.n), thread);
  }
}

void ThreadPool::Run(const Job& job) {
  if (workers_.empty() || job.n <= job.grain) {
    for (int64_t begin = 0; begin < job.n; begin += job.grain) {
      job.call(job.context, begin, std::min(begin + job.grain, job.n), 0);
    }
    return;
  }
  job_ = job;
  next_.store(0, std::memory_order_relaxed);
  n_running_.store(static_cast<int32_t>(workers_.size()), std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  TakeTasks(0);
  while (const int32_t n = n_running_.load(std::memory_order_acquire)) AwaitChange(n_running_, n);
}

void ThreadPool::Worker(int thread) {
  uint32_t seen = 0;
  for (;;) {
    AwaitChange(epoch_, seen);
    ++seen;
    if (stopping_.load(std::memory_order_relaxed)) return;
    TakeTasks(thread);
    // The last one wakes the caller; nobody else waits for it.
    if (n_running_.fetch_sub(1, std::memory_order_acq_rel) == 1) n_running_.notify_one();
  }
}

}  // namespace skerry::engine
