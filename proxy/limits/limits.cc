#include "proxy/limits/limits.h"

namespace skerry::proxy {

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
