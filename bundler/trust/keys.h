// Public keys: their text form and their ids. Secret keys are in bundler/build, which no verifier
// links.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "appliance/base/sha256.h"

namespace skerry::trust {

inline constexpr std::string_view kEd25519 = "ed25519";
inline constexpr size_t kMaxKeyFileBytes = 4096;

enum class RoleName { kRoot, kRelease, kRevoke };
inline constexpr RoleName kRoleNames[] = {RoleName::kRoot, RoleName::kRelease, RoleName::kRevoke};
std::string_view RoleText(RoleName role);  // "root", "release", "revoke"
Result<RoleName> RoleFromText(std::string_view text);

using KeyId = Sha256Digest;

struct PublicKey {
  std::array<uint8_t, 32> bytes{};  // RFC 8032 encoding

  // SHA-256 of "ed25519:" and the 64 hex digits of the key: the algorithm is part of the identity.
  KeyId Id() const;
};

// What `skerry keys generate` writes into NAME.pub.
struct PublicKeyFile {
  RoleName role = RoleName::kRelease;
  PublicKey key;
};
std::string SerializePublicKeyFile(const PublicKeyFile& file);
// kCorrupt naming the field; never quotes content.
Result<PublicKeyFile> ParsePublicKeyFile(std::string_view text);

// A digest for people: "1a2b 3c4d ..." (16 groups of four hex digits).
std::string Grouped(const Sha256Digest& digest);
// Inverse of Grouped; case, white space, ':' and '-' do not matter. kInvalidArgument otherwise.
Result<Sha256Digest> FromGrouped(std::string_view text);

}  // namespace skerry::trust
