#include "bundler/trust/permit.h"

#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"
#include "bundler/format/names.h"

namespace skerry::trust {

namespace {

Error Bad(std::string message) {
  return Error(ErrorCode::kCorrupt, "permit: " + std::move(message));
}

Result<Permit> FromJson(const Json& json) {
  TRY(RefuseUnknownKeys(json, {"bundle", "id", "release_seq", "serial"}));
  const std::string bundle = TRY(GetString(json, "bundle"));
  const std::string serial = TRY(GetString(json, "serial"));
  const int64_t release_seq = TRY(GetInt(json, "release_seq"));
  Permit permit;
  permit.id = TRY(GetString(json, "id"));
  TRY(format::CheckModelId(permit.id));
  permit.bundle = TRY(Sha256Digest::FromHex(bundle));
  if (release_seq < 1) return Bad("field 'release_seq' must be at least 1");
  permit.release_seq = static_cast<uint64_t>(release_seq);
  if (!HexDecode(serial, permit.serial)) return Bad("field 'serial' must be 32 hex digits");
  return permit;
}

}  // namespace

std::string SerializePermitPayload(const Permit& permit) {
  const Json json = {{"bundle", permit.bundle.Hex()},
                     {"id", permit.id},
                     {"release_seq", permit.release_seq},
                     {"serial", HexEncode(permit.serial)}};
  return DumpJson(json);
}

Result<SignedPermit> ParsePermit(const Root& root, const std::set<KeyId>& revoked,
                                 std::string_view text) {
  const Envelope envelope =
      TRY(ParseEnvelope(text, kPermitType, kMaxPermitBytes).WithContext("permit"));
  TRY(CheckSignatures(root, RoleName::kRelease, envelope.signatures, kPermitType, envelope.payload,
                      revoked)
          .WithContext("permit"));
  const JsonLimits limits{.max_bytes = kMaxPermitBytes, .max_depth = 2, .allow_floats = false};
  const Json json = TRY(ParseJson(envelope.payload, limits).WithContext("permit"));
  Result<Permit> permit = FromJson(json);
  if (!permit) return Bad(permit.error().message());
  if (SerializePermitPayload(*permit) != envelope.payload) {
    return Bad("the payload is not in canonical spelling");
  }
  return SignedPermit{std::move(*permit), Sha256::Of(envelope.payload), std::string(text)};
}

bool IsFor(const Permit& permit, const Release& release) {
  return permit.bundle == release.bundle && permit.id == release.id &&
         permit.release_seq == release.release_seq;
}

}  // namespace skerry::trust
