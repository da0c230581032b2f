// The revocation list: keys that no longer count, bundles and models that must not be used. A list
// replaces an older one (by sequence) as a whole.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "bundler/trust/root.h"

namespace skerry::trust {

inline constexpr std::string_view kRevocationsType = "application/vnd.skerry.revocations.v1+json";

struct Revocations {
  uint64_t sequence = 0;  // 0: there is no list
  std::set<KeyId> keys;
  std::set<Sha256Digest> bundles;  // SHA-256 of manifests
  std::set<Sha256Digest> models;   // format::ModelDigest
};

std::string SerializeRevocationsPayload(const Revocations& revocations);

// kCorrupt for a bad form, kUntrusted when the revoke keys of `root` have not signed it.
Result<Revocations> ParseRevocations(const Root& root, std::string_view text);

}  // namespace skerry::trust
