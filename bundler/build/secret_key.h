// Secret signing keys: made, kept and used on the connected side only.
#pragma once

#include <string>
#include <string_view>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/build/passphrase.h"
#include "bundler/trust/keys.h"
#include "bundler/trust/root.h"
#include "bundler/trust/signatures.h"

namespace skerry::build {

// An Ed25519 key pair for one role. The secret is wiped when the object ends. One thread.
class SecretKey {
 public:
  static SecretKey Generate(trust::RoleName role);
  // The key of the file `name`; `passphrases` is asked when it is encrypted (null: kDenied).
  // kCorrupt naming the field, never quoting content; kDenied for a wrong passphrase.
  static Result<SecretKey> Parse(std::string_view text, const std::string& name = "",
                                 PassphraseSource* passphrases = nullptr);

  ~SecretKey();
  SecretKey(SecretKey&& other) noexcept;
  SecretKey& operator=(SecretKey&&) = delete;

  trust::RoleName role() const { return role_; }
  const trust::PublicKey& public_key() const { return public_key_; }

  // The key file's text; the caller wipes it.
  std::string Serialize() const;
  // The same encrypted. kExhausted without the memory that this takes.
  Result<std::string> SerializeEncrypted(const SecretBytes& passphrase) const;
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

// kAlreadyExists when `path` or PublicKeyPath(path) exists.
Result<void> CheckKeyFilesFree(FileSystem& files, const std::string& path);

// Writes a new pair: `path` with mode 0600, encrypted when there is a `passphrase`, and
// PublicKeyPath(path) with 0644. kAlreadyExists, changing nothing, when either exists.
Result<SecretKey> GenerateKeyFiles(FileSystem& files, const std::string& path, trust::RoleName role,
                                   const SecretBytes* passphrase = nullptr);

// Replaces the secret key file `path` by `key`, encrypted when there is a `passphrase`.
Result<void> RewriteKeyFile(FileSystem& files, const std::string& path, const SecretKey& key,
                            const SecretBytes* passphrase);

Result<SecretKey> ReadSecretKey(FileSystem& files, const std::string& path,
                                PassphraseSource* passphrases = nullptr);
Result<trust::PublicKeyFile> ReadPublicKey(FileSystem& files, const std::string& path);

// What a key file says of itself without its secret.
struct KeyFacts {
  trust::RoleName role = trust::RoleName::kRelease;
  trust::KeyId id;
  bool secret = false;
  bool encrypted = false;
};
// Of a secret or public key file. The id of an encrypted key is not checked against the key.
Result<KeyFacts> ReadKeyFacts(FileSystem& files, const std::string& path);

// The root signed by `signers`, as a file's text; kInvalidArgument when they do not reach its
// threshold.
Result<std::string> SignRoot(const trust::Root& root, std::span<const SecretKey> signers);

}  // namespace skerry::build
