#include "bundler/build/secret_key.h"

#include <sodium.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"
#include "bundler/build/sealed_seed.h"

namespace skerry::build {

namespace {

void Wipe(std::string& text) { ::sodium_memzero(text.data(), text.size()); }

// Wipes the field "secret" at the end of the scope.
class JsonWipe {
 public:
  explicit JsonWipe(Json& json) : json_(json) {}
  JsonWipe(const JsonWipe&) = delete;
  JsonWipe& operator=(const JsonWipe&) = delete;
  ~JsonWipe() {
    const auto secret = json_.find("secret");
    if (secret != json_.end() && secret->is_string()) Wipe(secret->get_ref<std::string&>());
  }

 private:
  Json& json_;
};

Result<Json> ParseKeyFile(std::string_view text) {
  const JsonLimits limits{
      .max_bytes = trust::kMaxKeyFileBytes, .max_depth = 3, .allow_floats = false};
  Json json = TRY(ParseJson(text, limits));
  if (!json.is_object() || (!json.contains("secret") && !json.contains("encrypted"))) {
    return Error(ErrorCode::kInvalidArgument, "this is not a secret key file (NAME.key)");
  }
  return json;
}

// Of a secret key file, whose form is checked apart from the secret's.
Result<KeyFacts> FactsOf(const Json& json) {
  KeyFacts facts;
  facts.secret = true;
  facts.encrypted = json.contains("encrypted");
  TRY(RefuseUnknownKeys(json,
                        {"algorithm", "keyid", "role", facts.encrypted ? "encrypted" : "secret"}));
  const std::string algorithm = TRY(GetString(json, "algorithm"));
  const std::string role = TRY(GetString(json, "role"));
  const std::string id = TRY(GetString(json, "keyid"));
  facts.role = TRY(trust::RoleFromText(role));
  facts.id = TRY(Sha256Digest::FromHex(id));
  if (algorithm != trust::kEd25519) {
    return Error(ErrorCode::kCorrupt, "field 'algorithm' is not ed25519");
  }
  if (!facts.encrypted && !json["secret"].is_string()) {
    return Error(ErrorCode::kCorrupt, "field 'secret' must be 64 hex digits");
  }
  return facts;
}

Result<std::string> KeyFileText(const SecretKey& key, const SecretBytes* passphrase) {
  if (passphrase != nullptr) return key.SerializeEncrypted(*passphrase);
  return key.Serialize();
}

}  // namespace

SecretKey SecretKey::Generate(trust::RoleName role) {
  if (::sodium_init() < 0) std::abort();  // no source of random numbers: nothing can go on
  SecretKey key;
  key.role_ = role;
  ::randombytes_buf(key.seed_.data(), key.seed_.size());
  key.Expand();
  return key;
}

Result<SecretKey> SecretKey::Parse(std::string_view text, const std::string& name,
                                   PassphraseSource* passphrases) {
  if (::sodium_init() < 0) std::abort();
  Json json = TRY(ParseKeyFile(text));
  const JsonWipe wipe(json);
  SecretKey key;
  const KeyFacts facts = TRY(FactsOf(json));
  key.role_ = facts.role;
  if (facts.encrypted) {
    if (passphrases == nullptr) {
      return Error(ErrorCode::kDenied, "the key is encrypted and nobody can be asked");
    }
    const SecretBytes passphrase = TRY(passphrases->Ask(name));
    TRY(OpenSeed(json["encrypted"], passphrase, key.seed_));
  } else if (!HexDecode(json["secret"].get_ref<const std::string&>(), key.seed_)) {
    return Error(ErrorCode::kCorrupt, "field 'secret' must be 64 hex digits");
  }
  key.Expand();
  if (key.public_key_.Id() != facts.id) {
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
  // By hand: a JSON value would keep copies of the secret that nobody wipes.
  std::string hex = HexEncode(seed_);
  std::string text;
  text.reserve(trust::kMaxKeyFileBytes);  // never moved, so never left behind
  text.append("{\"algorithm\":\"ed25519\",\"keyid\":\"").append(public_key_.Id().Hex());
  text.append("\",\"role\":\"").append(trust::RoleText(role_)).append("\",\"secret\":\"");
  text.append(hex).append("\"}\n");
  Wipe(hex);
  return text;
}

Result<std::string> SecretKey::SerializeEncrypted(const SecretBytes& passphrase) const {
  Json sealed = TRY(SealSeed(seed_, passphrase));
  const Json json = {{"algorithm", trust::kEd25519},
                     {"encrypted", std::move(sealed)},
                     {"keyid", public_key_.Id().Hex()},
                     {"role", trust::RoleText(role_)}};
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

Result<void> CheckKeyFilesFree(FileSystem& files, const std::string& path) {
  for (const std::string& taken : {path, PublicKeyPath(path)}) {
    if (files.Exists(taken)) {
      return Error(ErrorCode::kAlreadyExists,
                   "'" + taken + "' exists; keys are never overwritten, choose another name");
    }
  }
  return {};
}

Result<SecretKey> GenerateKeyFiles(FileSystem& files, const std::string& path, trust::RoleName role,
                                   const SecretBytes* passphrase) {
  TRY(CheckKeyFilesFree(files, path));
  const std::string public_path = PublicKeyPath(path);
  SecretKey key = SecretKey::Generate(role);
  std::string text = TRY(KeyFileText(key, passphrase));
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

Result<void> RewriteKeyFile(FileSystem& files, const std::string& path, const SecretKey& key,
                            const SecretBytes* passphrase) {
  std::string text = TRY(KeyFileText(key, passphrase));
  const Result<void> written = WriteAtomically(files, path, text, 0600);
  Wipe(text);
  return written;
}

Result<SecretKey> ReadSecretKey(FileSystem& files, const std::string& path,
                                PassphraseSource* passphrases) {
  std::string text = TRY(ReadAll(files, path, trust::kMaxKeyFileBytes));
  Result<SecretKey> key = SecretKey::Parse(text, path, passphrases);
  Wipe(text);
  return std::move(key).WithContext("'" + path + "'");
}

Result<trust::PublicKeyFile> ReadPublicKey(FileSystem& files, const std::string& path) {
  const std::string text = TRY(ReadAll(files, path, trust::kMaxKeyFileBytes));
  return trust::ParsePublicKeyFile(text).WithContext("'" + path + "'");
}

Result<KeyFacts> ReadKeyFacts(FileSystem& files, const std::string& path) {
  std::string text = TRY(ReadAll(files, path, trust::kMaxKeyFileBytes));
  const auto read = [&]() -> Result<KeyFacts> {
    Result<Json> secret = ParseKeyFile(text);
    if (secret) {
      const JsonWipe wipe(*secret);
      return FactsOf(*secret);
    }
    const trust::PublicKeyFile file = TRY(trust::ParsePublicKeyFile(text));
    KeyFacts facts;
    facts.role = file.role;
    facts.id = file.key.Id();
    return facts;
  };
  Result<KeyFacts> facts = read();
  Wipe(text);
  return std::move(facts).WithContext("'" + path + "'");
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
