#include "proxy/limits/limits.h"

#include <algorithm>
#include <limits>

namespace skerry::proxy {

namespace {

constexpr size_t kAdminBodyBytes = 1 << 20;
constexpr size_t kAdminBodiesBytes = 16 << 20;
constexpr uint64_t kOwnFiles = 64;  // listener, dialer, journal, policy, logs
constexpr uint64_t kFilesPerConnection = 2;

}  // namespace

Limits AdminLimits() {
  Limits limits;
  limits.max_body_bytes = kAdminBodyBytes;
  limits.max_bodies_bytes = kAdminBodiesBytes;
  return limits;
}

size_t ConnectionsFor(uint64_t open_files) {
  if (open_files < kOwnFiles + kFilesPerConnection) return 1;
  return static_cast<size_t>(std::min<uint64_t>((open_files - kOwnFiles) / kFilesPerConnection,
                                                std::numeric_limits<size_t>::max()));
}

bool MemoryBudget::Take(size_t bytes) {
  size_t free = free_;
  do {
    if (free < bytes) return false;
  } while (!free_.compare_exchange_weak(free, free - bytes));
  return true;
}

bool BudgetShare::GrowTo(size_t bytes) {
  if (bytes <= held_) return true;
  if (!budget_->Take(bytes - held_)) return false;
  held_ = bytes;
  return true;
}

}  // namespace skerry::proxy
