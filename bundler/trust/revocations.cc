#include "bundler/trust/revocations.h"

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "bundler/format/layout.h"

namespace skerry::trust {

namespace {

Error Bad(std::string message) {
  return Error(ErrorCode::kCorrupt, "revocations: " + std::move(message));
}

Json ToJson(const std::set<Sha256Digest>& digests) {
  Json array = Json::array();
  for (const Sha256Digest& digest : digests) array.push_back(digest.Hex());
  return array;
}

Result<std::set<Sha256Digest>> DigestsFromJson(const Json& object, const char* key) {
  const auto array = object.find(key);
  if (array == object.end() || !array->is_array()) {
    return Bad("field '" + std::string(key) + "' must be an array");
  }
  std::set<Sha256Digest> digests;
  for (const Json& item : *array) {
    if (!item.is_string()) return Bad("field '" + std::string(key) + "' must hold digests");
    const Sha256Digest digest = TRY(Sha256Digest::FromHex(item.get_ref<const std::string&>()));
    digests.insert(digest);
  }
  return digests;
}

Result<Revocations> FromJson(const Json& json) {
  TRY(RefuseUnknownKeys(json, {"bundles", "keys", "models", "sequence"}));
  Revocations revocations;
  const int64_t sequence = TRY(GetInt(json, "sequence"));
  if (sequence < 1) return Bad("field 'sequence' must be at least 1");
  revocations.sequence = static_cast<uint64_t>(sequence);
  revocations.bundles = TRY(DigestsFromJson(json, "bundles"));
  revocations.keys = TRY(DigestsFromJson(json, "keys"));
  revocations.models = TRY(DigestsFromJson(json, "models"));
  return revocations;
}

}  // namespace

std::string SerializeRevocationsPayload(const Revocations& revocations) {
  const Json json = {{"bundles", ToJson(revocations.bundles)},
                     {"keys", ToJson(revocations.keys)},
                     {"models", ToJson(revocations.models)},
                     {"sequence", revocations.sequence}};
  return DumpJson(json);
}

Result<Revocations> ParseRevocations(const Root& root, std::string_view text) {
  const Envelope envelope = TRY(ParseEnvelope(text, kRevocationsType, format::kMaxRevocationsBytes)
                                    .WithContext("revocations"));
  TRY(CheckSignatures(root, RoleName::kRevoke, envelope.signatures, kRevocationsType,
                      envelope.payload)
          .WithContext("revocations"));
  const JsonLimits limits{
      .max_bytes = format::kMaxRevocationsBytes, .max_depth = 3, .allow_floats = false};
  const Json json = TRY(ParseJson(envelope.payload, limits).WithContext("revocations"));
  Result<Revocations> revocations = FromJson(json);
  if (!revocations) return Bad(revocations.error().message());
  if (SerializeRevocationsPayload(*revocations) != envelope.payload) {
    return Bad("the payload is not in canonical spelling");
  }
  return revocations;
}

}  // namespace skerry::trust
