#include "bundler/trust/floor.h"

#include <algorithm>

#include "bundler/format/names.h"

namespace skerry::trust {

namespace {

// The highest number that a manifest can carry (docs/formats/bundle.md, "Manifest").
constexpr uint64_t kMaxReleaseSeq = (uint64_t{1} << 53) - 1;

std::string ReleaseText(uint64_t release_seq) { return "release " + std::to_string(release_seq); }

Error BelowFloor(const Release& release, const Floor& floor, const std::string& permit) {
  const std::string what =
      release.release_seq == floor.release_seq
          ? "another bundle has been imported as " + ReleaseText(floor.release_seq) + " of " +
                format::Quote(release.id) + " (sha256-" + floor.digest.Hex() + ")"
          : ReleaseText(floor.release_seq) + " of " + format::Quote(release.id) +
                " has been imported, so " + ReleaseText(release.release_seq) +
                " is a step back (rollback)";
  const std::string bundle = "bundle sha256-" + release.bundle.Hex();
  // No manifest can carry a higher number: somebody signed it to keep honest releases out.
  const std::string ask =
      floor.release_seq >= kMaxReleaseSeq
          ? "no release can be higher; whoever signed that one may have meant to keep all others "
            "out: ask the release officer for a rollback permit for " +
                bundle + ", if need be under a new root (docs/operate/key-theft.md)"
          : "ask the release officer for release " + std::to_string(floor.release_seq + 1) +
                " or later, or for a rollback permit for " + bundle;
  return Error(ErrorCode::kUntrusted, what + "; " + permit + ask);
}

StandingReason ReasonOf(RevokedBy revoked_by) {
  switch (revoked_by) {
    case RevokedBy::kBundle:
      return StandingReason::kBundle;
    case RevokedBy::kModel:
      return StandingReason::kModel;
    case RevokedBy::kExpired:
      return StandingReason::kExpired;
    case RevokedBy::kNothing:
      break;
  }
  return StandingReason::kGood;
}

}  // namespace

Result<FloorOutcome> CheckFloor(const TrustState& state, const Release& release,
                                const SignedPermit* permit) {
  const auto found = state.floors.find(release.id);
  if (found == state.floors.end() || release.release_seq > found->second.release_seq) {
    return FloorOutcome::kNew;
  }
  const Floor& floor = found->second;
  if (release.release_seq == floor.release_seq && release.bundle == floor.digest) {
    return FloorOutcome::kSame;
  }
  if (permit == nullptr) return BelowFloor(release, floor, "");
  if (!IsFor(permit->permit, release)) {
    return BelowFloor(release, floor,
                      "the permit is for " + format::Quote(permit->permit.id) + " " +
                          ReleaseText(permit->permit.release_seq) + ", bundle sha256-" +
                          permit->permit.bundle.Hex() + ", not for this one; ");
  }
  if (state.used_permits.contains(permit->digest)) {
    return BelowFloor(release, floor, "the permit has been used here already and counts once; ");
  }
  return FloorOutcome::kPermit;
}

Standing StandingOf(const TrustState& state, const ImportedFacts& facts) {
  const RevokedBy revoked_by = FindRevoked(state.revocations, facts.release);
  if (revoked_by != RevokedBy::kNothing) {
    return {ReasonOf(revoked_by), CheckRevoked(state.revocations, facts.release).error().message()};
  }
  const std::set<KeyId>& revoked = state.revocations.keys;
  // As CheckSignatures, a key counts once.
  std::set<KeyId> left(facts.signers.begin(), facts.signers.end());
  std::erase_if(left, [&](const KeyId& id) { return revoked.contains(id); });
  if (left.size() >= facts.release_threshold) return {};
  return {StandingReason::kSigners, format::Quote(facts.release.id) + " " +
                                        ReleaseText(facts.release.release_seq) +
                                        " is revoked: without the keys of revocation list " +
                                        std::to_string(state.revocations.sequence) + " it has " +
                                        std::to_string(left.size()) + " of " +
                                        std::to_string(facts.release_threshold) + " signatures"};
}

}  // namespace skerry::trust
