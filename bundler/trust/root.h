// The trust root: which keys may do what, and how many of them it takes (after TUF's root role). A
// root is signed by its own root keys; its successor also by those of the root before.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "bundler/format/archive_writer.h"
#include "bundler/trust/keys.h"
#include "bundler/trust/signatures.h"

namespace skerry::trust {

inline constexpr std::string_view kRootType = "application/vnd.skerry.root.v1+json";
inline constexpr size_t kMaxRootKeys = 64;

struct Role {
  std::set<KeyId> keys;
  uint64_t threshold = 1;  // 1 to keys.size()
};

struct Root {
  uint64_t version = 1;
  std::map<KeyId, PublicKey> keys;  // every key that a role names, and no other
  Role root;
  Role release;
  Role revoke;

  Role& At(RoleName name);
  const Role& At(RoleName name) const { return const_cast<Root*>(this)->At(name); }
};

// A root whose own signatures hold. Whether it is the right one a person decides by the
// fingerprint.
struct SignedRoot {
  Root root;
  Sha256Digest fingerprint;  // SHA-256 of the payload
  std::string text;          // the file
};

// Payload for signing; kInvalidArgument when a role is empty or its threshold impossible.
Result<std::string> SerializeRootPayload(const Root& root);

// The form alone, for who is about to sign it: nothing vouches for the content.
Result<Root> ParseRootPayload(std::string_view payload);

// kCorrupt for a bad form, kUntrusted when its own root keys have not signed it.
Result<SignedRoot> ParseRoot(std::string_view text);

// A root that follows `current`: version + 1, signed by the thresholds of both.
Result<SignedRoot> ParseSuccessor(const SignedRoot& current, std::string_view text);

// Roots of which each follows the one before. Never empty where a function returned it.
struct RootChain {
  std::vector<SignedRoot> roots;

  const SignedRoot& newest() const { return roots.back(); }
};

// The content of a root file: one root a line, at most format::kMaxRoots. kCorrupt for a bad form,
// kUntrusted naming the version for a gap or a successor that is not signed by both thresholds.
Result<RootChain> ParseRootChain(std::string_view text);
std::string SerializeRootChain(const RootChain& chain);

// A root as it travels: the version by which its place names it, and its text.
using format::RootText;

// `chain` and what follows it in `later`, ascending. Versions up to the newest of `chain` are
// passed over unread; of a chain that becomes longer than format::kMaxRoots the oldest roots are
// dropped. kUntrusted naming the version for a gap or a root that is not signed by both thresholds.
Result<RootChain> FollowRoots(RootChain chain, std::span<const RootText> later);

// The distinct keys of `role` that signed, when they reach its threshold. A key counts once; a
// signature by a key that `root` does not know is passed over; one that does not hold refuses
// everything (kUntrusted), as does a missing threshold. Keys in `revoked` do not count.
Result<std::vector<KeyId>> CheckSignatures(const Root& root, RoleName role,
                                           std::span<const Signature> signatures,
                                           std::string_view type, std::string_view payload,
                                           const std::set<KeyId>& revoked = {});

}  // namespace skerry::trust
