#include "bundler/trust/revocations.h"

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "bundler/format/layout.h"
#include "bundler/format/names.h"

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

Result<std::map<std::string, uint64_t>> ExpiredFromJson(const Json& object) {
  const auto expired = object.find("expired");
  if (expired == object.end() || !expired->is_object()) {
    return Bad("field 'expired' must be an object");
  }
  std::map<std::string, uint64_t> releases;
  for (const auto& item : expired->items()) {
    TRY(format::CheckModelId(item.key()));
    const int64_t release_seq = TRY(GetInt(*expired, item.key()));
    if (release_seq < 1) return Bad("field 'expired' must hold releases from 1 on");
    releases.emplace(item.key(), static_cast<uint64_t>(release_seq));
  }
  return releases;
}

Result<Revocations> FromJson(const Json& json) {
  TRY(RefuseUnknownKeys(json, {"bundles", "expired", "keys", "models", "sequence"}));
  Revocations revocations;
  const int64_t sequence = TRY(GetInt(json, "sequence"));
  if (sequence < 1) return Bad("field 'sequence' must be at least 1");
  revocations.sequence = static_cast<uint64_t>(sequence);
  revocations.bundles = TRY(DigestsFromJson(json, "bundles"));
  revocations.keys = TRY(DigestsFromJson(json, "keys"));
  revocations.models = TRY(DigestsFromJson(json, "models"));
  revocations.expired = TRY(ExpiredFromJson(json));
  return revocations;
}

struct Opened {
  Revocations revocations;
  Envelope envelope;
};

// The form alone.
Result<Opened> Open(std::string_view text) {
  Opened opened;
  opened.envelope = TRY(ParseEnvelope(text, kRevocationsType, format::kMaxRevocationsBytes)
                            .WithContext("revocations"));
  const JsonLimits limits{
      .max_bytes = format::kMaxRevocationsBytes, .max_depth = 3, .allow_floats = false};
  const Json json = TRY(ParseJson(opened.envelope.payload, limits).WithContext("revocations"));
  Result<Revocations> revocations = FromJson(json);
  if (!revocations) return Bad(revocations.error().message());
  if (SerializeRevocationsPayload(*revocations) != opened.envelope.payload) {
    return Bad("the payload is not in canonical spelling");
  }
  opened.revocations = std::move(*revocations);
  return opened;
}

Result<void> CheckSigned(const Root& root, const Envelope& envelope) {
  TRY(CheckSignatures(root, RoleName::kRevoke, envelope.signatures, kRevocationsType,
                      envelope.payload)
          .WithContext("revocations"));
  return {};
}

}  // namespace

std::string SerializeRevocationsPayload(const Revocations& revocations) {
  Json expired = Json::object();
  for (const auto& [id, release_seq] : revocations.expired) expired[id] = release_seq;
  const Json json = {{"bundles", ToJson(revocations.bundles)},
                     {"expired", std::move(expired)},
                     {"keys", ToJson(revocations.keys)},
                     {"models", ToJson(revocations.models)},
                     {"sequence", revocations.sequence}};
  return DumpJson(json);
}

Result<Revocations> ParseRevocations(const Root& root, std::string_view text) {
  Opened opened = TRY(Open(text));
  TRY(CheckSigned(root, opened.envelope));
  return std::move(opened.revocations);
}

Result<Revocations> ParseRevocations(const RootChain& chain, std::string_view text) {
  Opened opened = TRY(Open(text));
  Result<void> under_newest = CheckSigned(chain.newest().root, opened.envelope);
  for (auto older = chain.roots.rbegin() + 1; !under_newest && older != chain.roots.rend();
       ++older) {
    if (CheckSigned(older->root, opened.envelope)) return std::move(opened.revocations);
  }
  if (!under_newest) return under_newest.error();
  return std::move(opened.revocations);
}

Result<uint64_t> PeekSequence(std::string_view text) {
  const Opened opened = TRY(Open(text));
  return opened.revocations.sequence;
}

RevokedBy FindRevoked(const Revocations& revocations, const Release& release) {
  if (revocations.bundles.contains(release.bundle)) return RevokedBy::kBundle;
  if (revocations.models.contains(release.model)) return RevokedBy::kModel;
  const auto expired = revocations.expired.find(release.id);
  if (expired != revocations.expired.end() && release.release_seq < expired->second) {
    return RevokedBy::kExpired;
  }
  return RevokedBy::kNothing;
}

Result<void> CheckRevoked(const Revocations& revocations, const Release& release) {
  const std::string what = format::Quote(release.id) + " release " +
                           std::to_string(release.release_seq) + " is revoked by revocation list " +
                           std::to_string(revocations.sequence) + ": ";
  switch (FindRevoked(revocations, release)) {
    case RevokedBy::kNothing:
      return {};
    case RevokedBy::kBundle:
      return Error(ErrorCode::kUntrusted, what + "it lists the bundle");
    case RevokedBy::kModel:
      return Error(ErrorCode::kUntrusted, what + "it lists the model");
    case RevokedBy::kExpired:
      return Error(ErrorCode::kUntrusted, what + "releases below " +
                                              std::to_string(revocations.expired.at(release.id)) +
                                              " have expired; ask for a newer one");
  }
  return Error(ErrorCode::kInternal, "unknown reason");
}

}  // namespace skerry::trust
