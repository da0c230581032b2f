// The policy in force: the last good one that was read from disk, replaced as a whole.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "appliance/policy/policy.h"
#include "appliance/policy/token.h"

namespace skerry::proxy {

// Immutable once made.
struct PolicySnapshot {
  policy::Policy policy;
  policy::TokenKey key;
};
// Shared: a request keeps the policy it was judged by while the next one takes its place.
using PolicyPtr = std::shared_ptr<const PolicySnapshot>;

// Thread-safe.
class PolicyStore {
 public:
  // Reads the policy below `files` (rooted at policy/). When none has been published yet, one that
  // lets nobody in is in force.
  static Result<std::unique_ptr<PolicyStore>> Open(std::unique_ptr<FileSystem> files);

  PolicyPtr current() const;

  // Reads the policy again and puts it in force when it is at `generation` or later. kUnavailable
  // when the disk is behind that; on every error the policy in force stays.
  Result<PolicyPtr> Load(uint64_t generation);

 private:
  explicit PolicyStore(std::unique_ptr<FileSystem> files) : files_(std::move(files)) {}
  Result<PolicyPtr> Read();

  const std::unique_ptr<FileSystem> files_;
  std::mutex load_mu_;  // one load at a time
  mutable std::mutex mu_;
  PolicyPtr current_;  // guarded by mu_
};

}  // namespace skerry::proxy
