#include "engine/scheduler/tenants.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace skerry::engine {
namespace {

// Clocks of absent tenants that are remembered.
constexpr size_t kMaxRemembered = 4096;
constexpr double kLeastWeight = 0.001;
constexpr double kMostWeight = 1000;

}  // namespace

Tenant& Tenants::Enter(const std::string& id, double weight) {
  if (tenants_.size() >= kMaxRemembered && !tenants_.contains(id)) ForgetAbsent();
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [name, tenant] : tenants_) {
    if (tenant.n_sequences > 0) least = std::min(least, tenant.clock);
  }
  Tenant& tenant = tenants_[id];
  if (tenant.n_sequences++ == 0) {
    tenant.clock = std::max(tenant.clock, std::isfinite(least) ? least : floor_);
  }
  tenant.weight = std::isfinite(weight) ? std::clamp(weight, kLeastWeight, kMostWeight) : 1;
  return tenant;
}

void Tenants::Leave(Tenant& tenant) {
  if (--tenant.n_sequences == 0) floor_ = std::max(floor_, tenant.clock);
}

void Tenants::ForgetAbsent() {
  std::erase_if(tenants_, [](const auto& entry) { return entry.second.n_sequences == 0; });
}

}  // namespace skerry::engine
