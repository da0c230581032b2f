// The revocation list: keys that no longer count, bundles and models that must not be used,
// releases that have expired. A list replaces an older one (by sequence) as a whole.
#pragma once

#include <cstdint>
#include <map>
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
  std::set<Sha256Digest> bundles;           // SHA-256 of manifests
  std::set<Sha256Digest> models;            // format::ModelDigest
  std::map<std::string, uint64_t> expired;  // ORG/NAME -> the lowest release_seq that has not
};

std::string SerializeRevocationsPayload(const Revocations& revocations);

// kCorrupt for a bad form, kUntrusted when the revoke keys of `root` have not signed it.
Result<Revocations> ParseRevocations(const Root& root, std::string_view text);
// The same for a list that was accepted when some root of `chain` was the newest: tries them from
// the newest on.
Result<Revocations> ParseRevocations(const RootChain& chain, std::string_view text);

// The sequence that a list claims, its signatures unchecked: for passing over what is not newer.
Result<uint64_t> PeekSequence(std::string_view text);

// What a list can say of a bundle.
struct Release {
  std::string id;  // ORG/NAME
  uint64_t release_seq = 0;
  Sha256Digest bundle;  // SHA-256 of the manifest
  Sha256Digest model;   // format::ModelDigest
};

enum class RevokedBy { kNothing, kBundle, kModel, kExpired };
RevokedBy FindRevoked(const Revocations& revocations, const Release& release);
// kUntrusted, naming the list and the reason, when the list excludes `release`.
Result<void> CheckRevoked(const Revocations& revocations, const Release& release);

}  // namespace skerry::trust
