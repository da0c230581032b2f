#include "engine/grammar/constraint_cache.h"

#include "appliance/base/sha256.h"

namespace skerry::engine {

Result<std::shared_ptr<Constraint>> ConstraintCache::Get(
    std::string_view key, const std::function<Result<Grammar>()>& compile) {
  // Keys are as long as a client's schemas: a digest that nobody can find a second text for.
  const std::string digest = Sha256::Of(key).Hex();
  {
    const std::lock_guard lock(mu_);
    if (std::shared_ptr<Constraint> found = Find(digest)) return found;
  }
  Grammar grammar = TRY(compile());
  auto made = std::make_shared<Constraint>(std::move(grammar), vocabulary_, kMaxBytesPerEntry);
  const std::lock_guard lock(mu_);
  if (std::shared_ptr<Constraint> found = Find(digest)) return found;
  entries_.push_front({digest, made});
  places_[digest] = entries_.begin();
  Shrink();
  return made;
}

std::shared_ptr<Constraint> ConstraintCache::Find(const std::string& digest) {
  const auto found = places_.find(digest);
  if (found == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->constraint;
}

void ConstraintCache::Shrink() {
  size_t bytes = 0;
  size_t kept = 0;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    bytes += entry->constraint->Bytes();
    if (kept > 0 && (kept == max_entries_ || bytes > kMaxBytes)) {
      places_.erase(entry->digest);
      entry = entries_.erase(entry);
    } else {
      ++kept;
      ++entry;
    }
  }
}

size_t ConstraintCache::size() const {
  const std::lock_guard lock(mu_);
  return entries_.size();
}

}  // namespace skerry::engine
