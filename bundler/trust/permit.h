// Rollback permits: the release officer's leave to import one bundle below the floor of its id,
// once on each appliance.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "bundler/trust/revocations.h"
#include "bundler/trust/root.h"

namespace skerry::trust {

inline constexpr std::string_view kPermitType = "application/vnd.skerry.permit.v1+json";
inline constexpr size_t kMaxPermitBytes = 32 << 10;

struct Permit {
  Sha256Digest bundle;  // SHA-256 of the manifest
  std::string id;       // ORG/NAME
  uint64_t release_seq = 0;
  std::array<uint8_t, 16> serial{};  // chance: another serial is another permit
};

std::string SerializePermitPayload(const Permit& permit);

// A permit whose signatures hold.
struct SignedPermit {
  Permit permit;
  Sha256Digest digest;  // SHA-256 of the payload: what an appliance keeps of a used one
  std::string text;     // the file
};

// kCorrupt for a bad form, kUntrusted when the release keys of `root` without `revoked` have not
// signed it.
Result<SignedPermit> ParsePermit(const Root& root, const std::set<KeyId>& revoked,
                                 std::string_view text);

// Whether the permit is for exactly this bundle.
bool IsFor(const Permit& permit, const Release& release);

}  // namespace skerry::trust
