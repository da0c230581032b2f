#include "bundler/trust/keys.h"

#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"

namespace skerry::trust {

std::string_view RoleText(RoleName role) {
  switch (role) {
    case RoleName::kRoot:
      return "root";
    case RoleName::kRelease:
      return "release";
    case RoleName::kRevoke:
      return "revoke";
  }
  return "?";
}

Result<RoleName> RoleFromText(std::string_view text) {
  for (const RoleName role : kRoleNames) {
    if (RoleText(role) == text) return role;
  }
  return Error(ErrorCode::kInvalidArgument, "the role must be root, release or revoke");
}

KeyId PublicKey::Id() const { return Sha256::Of(std::string(kEd25519) + ":" + HexEncode(bytes)); }

std::string SerializePublicKeyFile(const PublicKeyFile& file) {
  const Json json = {{"algorithm", kEd25519},
                     {"keyid", file.key.Id().Hex()},
                     {"public", HexEncode(file.key.bytes)},
                     {"role", RoleText(file.role)}};
  return DumpJson(json) + "\n";
}

Result<PublicKeyFile> ParsePublicKeyFile(std::string_view text) {
  const JsonLimits limits{.max_bytes = kMaxKeyFileBytes, .max_depth = 2, .allow_floats = false};
  const Json json = TRY(ParseJson(text, limits));
  PublicKeyFile file;
  if (json.is_object() && (json.contains("secret") || json.contains("encrypted"))) {
    return Error(ErrorCode::kInvalidArgument,
                 "this is a secret key file; the public one is wanted (NAME.pub)");
  }
  TRY(RefuseUnknownKeys(json, {"algorithm", "keyid", "public", "role"}));
  const std::string algorithm = TRY(GetString(json, "algorithm"));
  const std::string hex = TRY(GetString(json, "public"));
  const std::string id = TRY(GetString(json, "keyid"));
  const std::string role = TRY(GetString(json, "role"));
  file.role = TRY(RoleFromText(role));
  if (algorithm != kEd25519) return Error(ErrorCode::kCorrupt, "field 'algorithm' is not ed25519");
  if (!HexDecode(hex, file.key.bytes)) {
    return Error(ErrorCode::kCorrupt, "field 'public' must be 64 hex digits");
  }
  if (file.key.Id().Hex() != id) {
    return Error(ErrorCode::kCorrupt, "field 'keyid' does not belong to the key");
  }
  return file;
}

std::string Grouped(const Sha256Digest& digest) {
  const std::string hex = digest.Hex();
  std::string text;
  for (size_t i = 0; i < hex.size(); i += 4) text += (i == 0 ? "" : " ") + hex.substr(i, 4);
  return text;
}

Result<Sha256Digest> FromGrouped(std::string_view text) {
  std::string hex;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == ':' || c == '-') continue;
    hex += c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  const Result<Sha256Digest> digest = Sha256Digest::FromHex(hex);
  if (digest) return digest;
  const size_t bad = hex.find_first_not_of("0123456789abcdef");
  const std::string what = bad == std::string::npos
                               ? std::to_string(hex.size()) + " were given"
                               : "character " + std::to_string(bad + 1) + " is none";
  return Error(ErrorCode::kInvalidArgument, "a fingerprint has 64 hex digits; " + what);
}

}  // namespace skerry::trust
