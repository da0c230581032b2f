#include "appliance/receipts/identity.h"

#include <sodium.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"

namespace skerry::receipts {

namespace {

constexpr std::string_view kRole = "appliance";
constexpr JsonLimits kLimits{
    .max_bytes = trust::kMaxKeyFileBytes, .max_depth = 2, .allow_floats = false};

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

void Wipe(std::string& text) { ::sodium_memzero(text.data(), text.size()); }

// nullopt when there is no such file.
Result<std::optional<std::string>> ReadIfThere(FileSystem& files, const char* path) {
  Result<std::string> text = ReadAll(files, path, trust::kMaxKeyFileBytes);
  if (text) return std::optional<std::string>(std::move(*text));
  if (text.error().code() == ErrorCode::kNotFound) return std::optional<std::string>();
  return text.error();
}

struct KeyFields {
  std::string id;
  std::string value;  // hex of the public or secret key
};

Result<KeyFields> ReadFields(std::string_view text, std::string_view value_key) {
  const auto read = [&]() -> Result<KeyFields> {
    const Json json = TRY(ParseJson(text, kLimits));
    TRY(RefuseUnknownKeys(json, {"algorithm", "keyid", value_key, "role"}));
    const std::string algorithm = TRY(GetString(json, "algorithm"));
    const std::string role = TRY(GetString(json, "role"));
    KeyFields fields;
    fields.id = TRY(GetString(json, "keyid"));
    fields.value = TRY(GetString(json, value_key));
    if (algorithm != trust::kEd25519) return Bad("field 'algorithm' is not ed25519");
    if (role != kRole) return Bad("field 'role' is not 'appliance'");
    return fields;
  };
  Result<KeyFields> fields = read();
  if (!fields) return Bad(fields.error().message());
  return fields;
}

}  // namespace

Identity Identity::FromSeed(const std::array<uint8_t, 32>& seed) {
  Identity identity;
  ::crypto_sign_seed_keypair(identity.public_key_.bytes.data(), identity.secret_.data(),
                             seed.data());
  return identity;
}

Result<Identity> Identity::Parse(std::string_view text) {
  KeyFields fields = TRY(ReadFields(text, "secret"));
  std::array<uint8_t, 32> seed{};
  const bool ok = HexDecode(fields.value, seed);
  Wipe(fields.value);
  if (!ok) return Bad("field 'secret' must be 64 hex digits");
  Identity identity = FromSeed(seed);
  ::sodium_memzero(seed.data(), seed.size());
  if (identity.public_key_.Id().Hex() != fields.id) {
    return Bad("field 'keyid' does not belong to the key");
  }
  return identity;
}

std::string Identity::Serialize() const {
  const Json json = {{"algorithm", trust::kEd25519},
                     {"keyid", public_key_.Id().Hex()},
                     {"role", kRole},
                     {"secret", HexEncode(std::span(secret_).first(32))}};
  return DumpJson(json) + "\n";
}

Result<Identity> Identity::Open(FileSystem& files) {
  if (::sodium_init() < 0) std::abort();  // no source of random numbers: nothing can go on
  std::optional<std::string> text = TRY(ReadIfThere(files, kSecretKeyPath));
  const std::optional<std::string> published = TRY(ReadIfThere(files, kPublicKeyPath));
  if (!text && published) {
    return Bad(std::string("'") + kPublicKeyPath + "' is there, but '" + kSecretKeyPath +
               "' is not: restore it from a backup; to go on with a new key (earlier receipts are "
               "then checked with the old one), keep a copy of the public key elsewhere and "
               "remove it from here");
  }
  if (!text) {
    std::array<uint8_t, 32> seed{};
    ::randombytes_buf(seed.data(), seed.size());
    Identity identity = FromSeed(seed);
    ::sodium_memzero(seed.data(), seed.size());
    std::string made = identity.Serialize();
    TRY(MakeDirectories(files, "admin"));
    const Result<void> written = WriteAtomically(files, kSecretKeyPath, made, 0600);
    Wipe(made);
    if (!written) return written.error();
    TRY(WriteAtomically(files, kPublicKeyPath, SerializeAppliancePublicKey(identity.public_key_),
                        0644));
    return identity;
  }
  Result<Identity> identity = Parse(*text);
  Wipe(*text);
  if (!identity) {
    return Bad(std::string("'") + kSecretKeyPath + "': " + identity.error().message() +
               "; restore it from a backup");
  }
  const std::string expected = SerializeAppliancePublicKey(identity->public_key_);
  // Absent after a power cut between the two files.
  if (!published) TRY(WriteAtomically(files, kPublicKeyPath, expected, 0644));
  if (published && *published != expected) {
    return Bad(std::string("'") + kPublicKeyPath + "' does not belong to '" + kSecretKeyPath +
               "': restore both from a backup");
  }
  return identity;
}

Identity::~Identity() { ::sodium_memzero(secret_.data(), secret_.size()); }

Identity::Identity(Identity&& other) noexcept
    : public_key_(other.public_key_), secret_(other.secret_) {
  ::sodium_memzero(other.secret_.data(), other.secret_.size());
}

trust::Signature Identity::Sign(std::string_view type, std::string_view payload) const {
  const std::string message = trust::PreAuthEncoding(type, payload);
  trust::Signature signature;
  signature.key_id = public_key_.Id();
  ::crypto_sign_detached(signature.bytes.data(), nullptr,
                         reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                         secret_.data());
  return signature;
}

std::string SerializeAppliancePublicKey(const trust::PublicKey& key) {
  const Json json = {{"algorithm", trust::kEd25519},
                     {"keyid", key.Id().Hex()},
                     {"public", HexEncode(key.bytes)},
                     {"role", kRole}};
  return DumpJson(json) + "\n";
}

Result<trust::PublicKey> ParseAppliancePublicKey(std::string_view text) {
  const KeyFields fields = TRY(ReadFields(text, "public"));
  trust::PublicKey key;
  if (!HexDecode(fields.value, key.bytes)) return Bad("field 'public' must be 64 hex digits");
  if (key.Id().Hex() != fields.id) return Bad("field 'keyid' does not belong to the key");
  return key;
}

}  // namespace skerry::receipts
