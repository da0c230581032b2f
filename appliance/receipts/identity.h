// The appliance's own Ed25519 key: it signs receipts and nothing else. No trust root lists it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/trust/keys.h"
#include "bundler/trust/signatures.h"

namespace skerry::receipts {

inline constexpr char kSecretKeyPath[] = "admin/appliance.key";
inline constexpr char kPublicKeyPath[] = "admin/appliance.pub";

// One thread at a time; the secret is wiped at the end.
class Identity {
 public:
  // Reads the key below the data directory `files`, or makes it when there is none yet. kCorrupt,
  // saying what to do, when a file is damaged or the secret of a known public key is gone.
  static Result<Identity> Open(FileSystem& files);
  ~Identity();
  Identity(Identity&& other) noexcept;
  Identity& operator=(Identity&&) = delete;

  const trust::PublicKey& public_key() const { return public_key_; }
  trust::Signature Sign(std::string_view type, std::string_view payload) const;

 private:
  Identity() = default;
  static Identity FromSeed(const std::array<uint8_t, 32>& seed);
  static Result<Identity> Parse(std::string_view text);
  std::string Serialize() const;

  trust::PublicKey public_key_;
  std::array<uint8_t, 64> secret_{};  // seed and public key, as libsodium keeps them
};

// {"algorithm","keyid","public","role":"appliance"} and a line feed.
std::string SerializeAppliancePublicKey(const trust::PublicKey& key);
// kCorrupt naming the field.
Result<trust::PublicKey> ParseAppliancePublicKey(std::string_view text);

}  // namespace skerry::receipts
