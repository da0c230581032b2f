// Every bound of the proxy in one place, and the memory budget that request bodies share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace skerry::proxy {

// Defaults of the program; tests make them smaller.
struct Limits {
  size_t max_connections = 10'000;
  size_t max_body_bytes = 16 << 20;             // of one request; the engine takes no more
  size_t max_bodies_bytes = size_t{512} << 20;  // of all requests together
  size_t max_pipelined_bytes = 64 << 10;        // read ahead while a reply runs
  int handshake_timeout_ms = 10'000;
  int head_timeout_ms = 10'000;  // from a request's first byte to the end of its head
  int body_timeout_ms = 60'000;
  int idle_timeout_ms = 75'000;            // between requests
  int write_timeout_ms = 60'000;           // without a byte taken by the client
  int linger_timeout_ms = 2'000;           // for a refused client to read the answer
  int upstream_head_timeout_ms = 600'000;  // a whole reply is made before its head is sent
  int upstream_idle_timeout_ms = 120'000;  // between two pieces of a reply
};

// The admin instance's: its bodies are small (docs/http/admin.md), and who sends them is known only
// behind it.
Limits AdminLimits();

// How many connections a process with `open_files` descriptors can hold: each needs one for its
// client and one for its upstream, the process some for itself. At least 1.
size_t ConnectionsFor(uint64_t open_files);

// Tokens a request may use, prompt and output together, until per-token quotas decide it.
inline constexpr uint64_t kFixedLeaseTokens = 1'048'576;

// Bytes of request bodies held at one time. Thread-safe.
class MemoryBudget {
 public:
  explicit MemoryBudget(size_t total_bytes) : free_(total_bytes) {}

  // Takes `bytes` if they are left.
  bool Take(size_t bytes);
  void Return(size_t bytes) { free_ += bytes; }
  size_t free_bytes() const { return free_; }

 private:
  std::atomic<size_t> free_;
};

// A part of the budget, given back at the end of its life. One thread.
class BudgetShare {
 public:
  explicit BudgetShare(MemoryBudget& budget) : budget_(&budget) {}
  BudgetShare(const BudgetShare&) = delete;
  BudgetShare& operator=(const BudgetShare&) = delete;
  ~BudgetShare() { budget_->Return(held_); }

  // Makes the share at least `bytes` large; false (share unchanged) when the budget has not enough.
  bool GrowTo(size_t bytes);

 private:
  MemoryBudget* budget_;
  size_t held_ = 0;
};

}  // namespace skerry::proxy
