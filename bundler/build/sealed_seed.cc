#include "bundler/build/sealed_seed.h"

#include <sodium.h>

#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"

namespace skerry::build {

namespace {

constexpr char kKdf[] = "argon2id13";
constexpr size_t kSealedBytes = 32 + crypto_secretbox_MACBYTES;
using Salt = std::array<uint8_t, crypto_pwhash_SALTBYTES>;
using Nonce = std::array<uint8_t, crypto_secretbox_NONCEBYTES>;

Error Bad(std::string message) {
  return Error(ErrorCode::kCorrupt, "field 'encrypted': " + std::move(message));
}

Result<SecretBytes> DeriveKey(const SecretBytes& passphrase, const Salt& salt,
                              const KdfLimits& limits) {
  SecretBytes key(crypto_secretbox_KEYBYTES);
  if (::crypto_pwhash(reinterpret_cast<unsigned char*>(key.data()), key.size(), passphrase.data(),
                      passphrase.size(), salt.data(), limits.operations, limits.memory_bytes,
                      crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return Error(ErrorCode::kExhausted, "the passphrase needs " +
                                            std::to_string(limits.memory_bytes >> 20) +
                                            " MiB of memory that this machine does not have free");
  }
  return key;
}

const unsigned char* KeyBytes(const SecretBytes& key) {
  return reinterpret_cast<const unsigned char*>(key.data());
}

template <size_t kSize>
Result<std::array<uint8_t, kSize>> GetHex(const Json& object, const char* name) {
  const std::string hex = TRY(GetString(object, name));
  std::array<uint8_t, kSize> bytes{};
  if (!HexDecode(hex, bytes)) {
    return Bad("'" + std::string(name) + "' must be " + std::to_string(2 * kSize) + " hex digits");
  }
  return bytes;
}

}  // namespace

KdfLimits DefaultKdfLimits() {
  return {crypto_pwhash_OPSLIMIT_MODERATE, crypto_pwhash_MEMLIMIT_MODERATE};
}

Result<Json> SealSeed(std::span<const uint8_t, 32> seed, const SecretBytes& passphrase,
                      const KdfLimits& limits) {
  Salt salt;
  Nonce nonce;
  ::randombytes_buf(salt.data(), salt.size());
  ::randombytes_buf(nonce.data(), nonce.size());
  const SecretBytes key = TRY(DeriveKey(passphrase, salt, limits));
  std::array<uint8_t, kSealedBytes> sealed;
  ::crypto_secretbox_easy(sealed.data(), seed.data(), seed.size(), nonce.data(), KeyBytes(key));
  return Json{{"kdf", kKdf},
              {"memory_bytes", limits.memory_bytes},
              {"nonce", HexEncode(nonce)},
              {"operations", limits.operations},
              {"salt", HexEncode(salt)},
              {"secretbox", HexEncode(sealed)}};
}

Result<void> OpenSeed(const Json& sealed, const SecretBytes& passphrase,
                      std::span<uint8_t, 32> seed) {
  TRY(RefuseUnknownKeys(sealed,
                        {"kdf", "memory_bytes", "nonce", "operations", "salt", "secretbox"}));
  const std::string kdf = TRY(GetString(sealed, "kdf"));
  if (kdf != kKdf) return Bad("'kdf' is not argon2id13");
  const int64_t operations = TRY(GetInt(sealed, "operations"));
  const int64_t memory_bytes = TRY(GetInt(sealed, "memory_bytes"));
  // Bounds: a key file of a stranger must not take the machine's memory or hours.
  if (operations < static_cast<int64_t>(crypto_pwhash_OPSLIMIT_MIN) ||
      operations > static_cast<int64_t>(kMaxKdfOperations)) {
    return Bad("'operations' must be 1 to 16");
  }
  if (memory_bytes < static_cast<int64_t>(crypto_pwhash_MEMLIMIT_MIN) ||
      memory_bytes > static_cast<int64_t>(kMaxKdfMemoryBytes)) {
    return Bad("'memory_bytes' must be 8192 to 1073741824");
  }
  const Salt salt = TRY(GetHex<crypto_pwhash_SALTBYTES>(sealed, "salt"));
  const Nonce nonce = TRY(GetHex<crypto_secretbox_NONCEBYTES>(sealed, "nonce"));
  const auto box = TRY(GetHex<kSealedBytes>(sealed, "secretbox"));
  const SecretBytes key = TRY(DeriveKey(
      passphrase, salt, {static_cast<uint64_t>(operations), static_cast<uint64_t>(memory_bytes)}));
  if (::crypto_secretbox_open_easy(seed.data(), box.data(), box.size(), nonce.data(),
                                   KeyBytes(key)) != 0) {
    return Error(ErrorCode::kDenied, "wrong passphrase (or the file is damaged)");
  }
  return {};
}

}  // namespace skerry::build
