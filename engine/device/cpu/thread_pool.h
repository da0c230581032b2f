// A fixed team of threads for loops of many short tasks. Between two loops of a forward pass only
// microseconds lie, so workers spin a little before they sleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "appliance/base/result.h"

namespace skerry::engine {

// One thread at a time calls ParallelFor; not from within a body.
class ThreadPool {
 public:
  // `n_threads` including the caller; at least 1. kExhausted when the system has no thread left.
  static Result<std::unique_ptr<ThreadPool>> Create(int n_threads);
  ~ThreadPool();

  int n_threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(begin, end, thread) for ranges of at most `grain` that cover [0, n), on all threads,
  // the caller included; returns when all are done. `thread` is below n_threads(). Which thread
  // gets which range is left open, so bodies must not depend on it.
  template <typename Body>
  void ParallelFor(int64_t n, int64_t grain, const Body& body) {
    Run({n, grain < 1 ? 1 : grain, &body,
         [](const void* context, int64_t begin, int64_t end, int t) {
           (*static_cast<const Body*>(context))(begin, end, t);
         }});
  }

 private:
  struct Job {
    int64_t n = 0;
    int64_t grain = 1;
    const void* context = nullptr;
    void (*call)(const void* context, int64_t begin, int64_t end, int thread) = nullptr;
  };

  ThreadPool() = default;
  void Run(const Job& job);
  void Worker(int thread);
  void TakeTasks(int thread);

  Job job_;                            // written before epoch_ is raised, while no worker runs
  std::atomic<int64_t> next_{0};       // first element no thread has taken yet
  std::atomic<uint32_t> epoch_{0};     // number of the current job
  std::atomic<int32_t> n_running_{0};  // workers that have not finished it
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

// Processors this process may run on; at least 1.
int UsableProcessors();

}  // namespace skerry::engine
