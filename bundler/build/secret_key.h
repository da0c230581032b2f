// Secret signing keys: made, kept and used on the connected side only.
#pragma once

#include <string>
#include <string_view>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/trust/keys.h"
#include "bundler/trust/root.h"
#include "bundler/trust/signatures.h"

namespace skerry::build {

// An Ed25519 key pair for one role. The secret is wiped when the object ends. One thread.
class SecretKey {
 public:
  static SecretKey Generate(trust::RoleName role);
  // kCorrupt naming the field; never quotes content.
  static Result<SecretKey> Parse(std::string_view text);

  ~SecretKey();
  SecretKey(SecretKey&& other) noexcept;
  SecretKey& operator=(SecretKey&&) = delete;

  trust::RoleName role() const { return role_; }
  const trust::PublicKey& public_key() const { return public_key_; }

  // The key file's text; the caller wipes it.
  std::string Serialize() const;
  trust::Signature Sign(std::string_view type, std::string_view payload) const;

 private:
  SecretKey() = default;
  void Expand();  // public_key_ and secret_ from seed_

  trust::RoleName role_ = trust::RoleName::kRelease;
  trust::PublicKey public_key_;
  std::array<uint8_t, 32> seed_{};
  std::array<uint8_t, 64> secret_{};  // seed and public key, as libsodium wants it
};

// "release.key" -> "release.pub"; other names get ".pub" appended.
std::string PublicKeyPath(const std::string& secret_path);

// Writes a new pair: `path` with mode 0600 and PublicKeyPath(path) with 0644. kAlreadyExists,
// changing nothing, when either exists.
Result<SecretKey> GenerateKeyFiles(FileSystem& files, const std::string& path,
                                   trust::RoleName role);

Result<SecretKey> ReadSecretKey(FileSystem& files, const std::string& path);
Result<trust::PublicKeyFile> ReadPublicKey(FileSystem& files, const std::string& path);

// The root signed by `signers`, as a file's text; kInvalidArgument when they do not reach its
// threshold.
Result<std::string> SignRoot(const trust::Root& root, std::span<const SecretKey> signers);

}  // namespace skerry::build
