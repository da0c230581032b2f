// Constraints that were asked for lately: clients send the same tools and schemas again and again.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "appliance/base/result.h"
#include "engine/grammar/matcher.h"

namespace skerry::engine {

// For one vocabulary. Thread-safe.
class ConstraintCache {
 public:
  static constexpr size_t kMaxEntries = 64;
  static constexpr size_t kMaxBytes = 256 << 20;         // together
  static constexpr size_t kMaxBytesPerEntry = 32 << 20;  // see Constraint

  explicit ConstraintCache(std::shared_ptr<const TokenVocabulary> vocabulary,
                           size_t max_entries = kMaxEntries)
      : vocabulary_(std::move(vocabulary)), max_entries_(max_entries) {}

  // The constraint of `key` (KeyOf in answer.h), or what `compile` makes. Errors of `compile` are
  // passed on and not remembered. `compile` runs without a lock: asked for twice at once, it may
  // run twice.
  Result<std::shared_ptr<Constraint>> Get(std::string_view key,
                                          const std::function<Result<Grammar>()>& compile);

  size_t size() const;

 private:
  struct Entry {
    std::string digest;
    std::shared_ptr<Constraint> constraint;
  };
  std::shared_ptr<Constraint> Find(const std::string& digest);  // mu_ is held
  void Shrink();                                                // mu_ is held

  const std::shared_ptr<const TokenVocabulary> vocabulary_;
  const size_t max_entries_;
  mutable std::mutex mu_;
  std::list<Entry> entries_;  // guarded by mu_; the latest first
  std::unordered_map<std::string, std::list<Entry>::iterator> places_;  // guarded by mu_
};

}  // namespace skerry::engine
