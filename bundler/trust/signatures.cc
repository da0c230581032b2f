#include "bundler/trust/signatures.h"

#include <sodium.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"

namespace skerry::trust {

namespace {

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

Json ToJson(std::vector<Signature>& signatures) {
  std::sort(signatures.begin(), signatures.end(), [](const Signature& a, const Signature& b) {
    return std::tie(a.key_id, a.bytes) < std::tie(b.key_id, b.bytes);
  });
  Json array = Json::array();
  for (const Signature& signature : signatures) {
    array.push_back({{"algorithm", kEd25519},
                     {"keyid", signature.key_id.Hex()},
                     {"sig", Base64Encode(signature.bytes)}});
  }
  return array;
}

Result<Signature> SignatureFromJson(const Json& json) {
  TRY(RefuseUnknownKeys(json, {"algorithm", "keyid", "sig"}));
  const std::string algorithm = TRY(GetString(json, "algorithm"));
  const std::string id = TRY(GetString(json, "keyid"));
  const std::string sig = TRY(GetString(json, "sig"));
  if (algorithm != kEd25519) return Bad("field 'algorithm' is not ed25519");
  Signature signature;
  signature.key_id = TRY(Sha256Digest::FromHex(id));
  const std::optional<std::vector<uint8_t>> bytes = Base64Decode(sig);
  if (!bytes || bytes->size() != signature.bytes.size()) {
    return Bad("field 'sig' must be the base64 of 64 bytes");
  }
  std::copy(bytes->begin(), bytes->end(), signature.bytes.begin());
  return signature;
}

Result<std::vector<Signature>> SignaturesFromJson(const Json& object) {
  const auto array = object.find("signatures");
  if (array == object.end() || !array->is_array() || array->size() > kMaxSignatures) {
    return Bad("field 'signatures' must be an array of at most " + std::to_string(kMaxSignatures));
  }
  std::vector<Signature> signatures;
  for (const Json& json : *array) {
    Result<Signature> signature = SignatureFromJson(json);
    if (!signature) {
      return Bad("signatures[" + std::to_string(signatures.size()) +
                 "]: " + signature.error().message());
    }
    signatures.push_back(*signature);
  }
  return signatures;
}

}  // namespace

std::string PreAuthEncoding(std::string_view type, std::string_view payload) {
  std::string encoded = "DSSEv1 " + std::to_string(type.size()) + " ";
  encoded.append(type).append(" ").append(std::to_string(payload.size())).append(" ");
  encoded.append(payload);
  return encoded;
}

std::string SerializeSignatures(std::vector<Signature> signatures) {
  const Json json = {{"signatures", ToJson(signatures)}};
  return DumpJson(json);
}

Result<std::vector<Signature>> ParseSignatures(std::string_view text, size_t max_bytes) {
  const JsonLimits limits{.max_bytes = max_bytes, .max_depth = 3, .allow_floats = false};
  const Json json = TRY(ParseJson(text, limits).WithContext("signatures"));
  const Result<void> known = RefuseUnknownKeys(json, {"signatures"});
  if (!known) return Bad("signatures: " + known.error().message());
  std::vector<Signature> signatures = TRY(SignaturesFromJson(json));
  if (SerializeSignatures(signatures) != text) return Bad("signatures: not in canonical spelling");
  return signatures;
}

std::string SerializeEnvelope(Envelope envelope) {
  const Json json = {{"payload", Base64Encode(AsBytes(envelope.payload))},
                     {"payloadType", envelope.type},
                     {"signatures", ToJson(envelope.signatures)}};
  return DumpJson(json) + "\n";
}

Result<Envelope> ParseEnvelope(std::string_view text, std::string_view type, size_t max_bytes) {
  const JsonLimits limits{.max_bytes = max_bytes, .max_depth = 3, .allow_floats = false};
  const Json json = TRY(ParseJson(text, limits));
  const Result<void> known = RefuseUnknownKeys(json, {"payload", "payloadType", "signatures"});
  if (!known) return Bad(known.error().message());
  const Result<std::string> payload = GetString(json, "payload");
  if (!payload) return Bad(payload.error().message());
  Envelope envelope;
  const Result<std::string> claimed = GetString(json, "payloadType");
  if (!claimed || *claimed != type) {
    return Bad("field 'payloadType' is not '" + std::string(type) + "'");
  }
  envelope.type = type;
  const std::optional<std::vector<uint8_t>> bytes = Base64Decode(*payload);
  if (!bytes) return Bad("field 'payload' is not base64");
  envelope.payload.assign(bytes->begin(), bytes->end());
  envelope.signatures = TRY(SignaturesFromJson(json));
  if (SerializeEnvelope(envelope) != text) return Bad("not in canonical spelling");
  return envelope;
}

bool Verify(const PublicKey& key, const Signature& signature, std::string_view type,
            std::string_view payload) {
  const std::string message = PreAuthEncoding(type, payload);
  return ::crypto_sign_verify_detached(signature.bytes.data(),
                                       reinterpret_cast<const unsigned char*>(message.data()),
                                       message.size(), key.bytes.data()) == 0;
}

}  // namespace skerry::trust
