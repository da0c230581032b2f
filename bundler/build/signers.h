// Whether keys may sign releases under a trust root, and how many of them are still missing.
#pragma once

#include <cstdint>
#include <set>
#include <span>

#include "appliance/base/result.h"
#include "bundler/build/secret_key.h"
#include "bundler/trust/root.h"

namespace skerry::build {

struct Signers {
  std::set<trust::KeyId> keys;  // that have signed and count
  uint64_t needed = 0;          // the release role's threshold

  uint64_t missing() const { return needed > keys.size() ? needed - keys.size() : 0; }
};

// `keys` counted for `role`; the same key twice counts once. kUntrusted for a key that the role
// does not list or that is revoked: what it signs would not count.
Result<Signers> CountSigners(const trust::Role& role, const std::set<trust::KeyId>& revoked,
                             std::span<const SecretKey> keys);

}  // namespace skerry::build
