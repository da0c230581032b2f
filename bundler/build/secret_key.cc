#include "bundler/build/secret_key.h"

#include <sodium.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"

namespace skerry::build {

namespace {

void Wipe(std::string& text) { ::sodium_memzero(text.data(), text.size()); }

}  // namespace

SecretKey SecretKey::Generate(trust::RoleName role) {
  if (::sodium_init() < 0) std::abort();  // no source of random numbers: nothing can go on
  SecretKey key;
  key.role_ = role;
  ::randombytes_buf(key.seed_.data(), key.seed_.size());
  key.Expand();
  return key;
}

Result<SecretKey> SecretKey::Parse(std::string_view text) {
  const JsonLimits limits{
      .max_bytes = trust::kMaxKeyFileBytes, .max_depth = 2, .allow_floats = false};
  const Json json = TRY(ParseJson(text, limits));
  if (json.is_object() && !json.contains("secret")) {
    return Error(ErrorCode::kInvalidArgument, "this is not a secret key file (NAME.key)");
  }
  TRY(RefuseUnknownKeys(json, {"algorithm", "keyid", "role", "secret"}));
  const std::string algorithm = TRY(GetString(json, "algorithm"));
  const std::string role = TRY(GetString(json, "role"));
  const std::string id = TRY(GetString(json, "keyid"));
  std::string secret = TRY(GetString(json, "secret"));
  SecretKey key;
  key.role_ = TRY(trust::RoleFromText(role));
  const bool ok = HexDecode(secret, key.seed_);
  Wipe(secret);
  if (algorithm != trust::kEd25519 || !ok) {
    return Error(ErrorCode::kCorrupt, "the key must be ed25519 with a secret of 64 hex digits");
  }
  key.Expand();
  if (key.public_key_.Id().Hex() != id) {
    return Error(ErrorCode::kCorrupt, "field 'keyid' does not belong to the key");
  }
  return key;
}

SecretKey::~SecretKey() {
  ::sodium_memzero(seed_.data(), seed_.size());
  ::sodium_memzero(secret_.data(), secret_.size());
}

SecretKey::SecretKey(SecretKey&& other) noexcept
    : role_(other.role_),
      public_key_(other.public_key_),
      seed_(other.seed_),
      secret_(other.secret_) {
  ::sodium_memzero(other.seed_.data(), other.seed_.size());
  ::sodium_memzero(other.secret_.data(), other.secret_.size());
}

void SecretKey::Expand() {
  ::crypto_sign_seed_keypair(public_key_.bytes.data(), secret_.data(), seed_.data());
}

std::string SecretKey::Serialize() const {
  const Json json = {{"algorithm", trust::kEd25519},
                     {"keyid", public_key_.Id().Hex()},
                     {"role", trust::RoleText(role_)},
                     {"secret", HexEncode(seed_)}};
  return DumpJson(json) + "\n";
}

trust::Signature SecretKey::Sign(std::string_view type, std::string_view payload) const {
  const std::string message = trust::PreAuthEncoding(type, payload);
  trust::Signature signature;
  signature.key_id = public_key_.Id();
  ::crypto_sign_detached(signature.bytes.data(), nullptr,
                         reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                         secret_.data());
  return signature;
}

std::string PublicKeyPath(const std::string& secret_path) {
  constexpr std::string_view kSuffix = ".key";
  if (secret_path.size() > kSuffix.size() && secret_path.ends_with(kSuffix)) {
    return secret_path.substr(0, secret_path.size() - kSuffix.size()) + ".pub";
  }
  return secret_path + ".pub";
}

Result<SecretKey> GenerateKeyFiles(FileSystem& files, const std::string& path,
                                   trust::RoleName role) {
  const std::string public_path = PublicKeyPath(path);
  for (const std::string& taken : {path, public_path}) {
    if (files.Exists(taken)) {
      return Error(ErrorCode::kAlreadyExists,
                   "'" + taken + "' exists; keys are never overwritten, choose another name");
    }
  }
  SecretKey key = SecretKey::Generate(role);
  std::string text = key.Serialize();
  const std::string public_text = trust::SerializePublicKeyFile({role, key.public_key()});
  auto write = [&]() -> Result<void> {
    const std::unique_ptr<File> secret_file = TRY(files.Create(path, 0600));
    TRY(secret_file->Append(AsBytes(text)));
    TRY(secret_file->Sync());
    const std::unique_ptr<File> public_file = TRY(files.Create(public_path, 0644));
    TRY(public_file->Append(AsBytes(public_text)));
    TRY(public_file->Sync());
    return files.SyncDirectory(ParentDirectory(path));
  };
  const Result<void> written = write();
  Wipe(text);
  if (!written) return written.error();
  return key;
}

Result<SecretKey> ReadSecretKey(FileSystem& files, const std::string& path) {
  std::string text = TRY(ReadAll(files, path, trust::kMaxKeyFileBytes));
  Result<SecretKey> key = SecretKey::Parse(text);
  Wipe(text);
  return std::move(key).WithContext("'" + path + "'");
}

Result<trust::PublicKeyFile> ReadPublicKey(FileSystem& files, const std::string& path) {
  const std::string text = TRY(ReadAll(files, path, trust::kMaxKeyFileBytes));
  return trust::ParsePublicKeyFile(text).WithContext("'" + path + "'");
}

Result<std::string> SignRoot(const trust::Root& root, std::span<const SecretKey> signers) {
  trust::Envelope envelope;
  envelope.type = trust::kRootType;
  envelope.payload = TRY(trust::SerializeRootPayload(root));
  for (const SecretKey& signer : signers) {
    envelope.signatures.push_back(signer.Sign(envelope.type, envelope.payload));
  }
  std::string text = trust::SerializeEnvelope(envelope);
  const Result<trust::SignedRoot> check = trust::ParseRoot(text);
  if (!check) return Error(ErrorCode::kInvalidArgument, check.error().message());
  return text;
}

}  // namespace skerry::build
