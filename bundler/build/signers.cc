#include "bundler/build/signers.h"

namespace skerry::build {

Result<Signers> CountSigners(const trust::Role& role, const std::set<trust::KeyId>& revoked,
                             std::span<const SecretKey> keys) {
  Signers signers;
  signers.needed = role.threshold;
  for (const SecretKey& key : keys) {
    const trust::KeyId id = key.public_key().Id();
    const bool listed = role.keys.contains(id);
    if (!listed || revoked.contains(id)) {
      return Error(ErrorCode::kUntrusted,
                   "key " + trust::Grouped(id) +
                       (listed ? " is revoked" : " is not in the release role of the trust root") +
                       ": an appliance with this root would refuse the bundle or not count it");
    }
    signers.keys.insert(id);
  }
  return signers;
}

}  // namespace skerry::build
