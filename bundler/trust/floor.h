// What may still be imported (floors and permits) and what that was imported may still be used.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "appliance/base/result.h"
#include "bundler/trust/permit.h"
#include "bundler/trust/trust_store.h"

namespace skerry::trust {

enum class FloorOutcome {
  kNew,     // higher than anything imported of its id
  kSame,    // the bundle that is the floor
  kPermit,  // below, and let in by the permit: it becomes the floor and the permit is used up
};

// Whether `release` may be imported; `permit` (null: none) is one whose signatures hold under the
// newest root. kUntrusted, saying what is the floor and what to ask for. A permit that is not
// needed stays unused.
Result<FloorOutcome> CheckFloor(const TrustState& state, const Release& release,
                                const SignedPermit* permit);

// What the importer wrote down about a model in the store.
struct ImportedFacts {
  Release release;
  std::vector<KeyId> signers;      // that counted
  uint64_t release_threshold = 1;  // of the release role they were checked against
};

// kUnreadable: nobody can tell, because what the import wrote down cannot be read.
enum class StandingReason { kGood, kBundle, kModel, kExpired, kSigners, kUnreadable };

// Whether an imported model may be used.
struct Standing {
  StandingReason reason = StandingReason::kGood;
  std::string text;  // for people, naming the list or what cannot be read; empty when good

  bool good() const { return reason == StandingReason::kGood; }
  bool readable() const { return reason != StandingReason::kUnreadable; }
  bool revoked() const { return !good() && readable(); }
};
Standing StandingOf(const TrustState& state, const ImportedFacts& facts);

}  // namespace skerry::trust
