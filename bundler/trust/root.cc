#include "bundler/trust/root.h"

#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"
#include "bundler/format/layout.h"

namespace skerry::trust {

namespace {

constexpr int64_t kMaxVersion = 1'000'000;

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

std::string PayloadText(const Root& root) {
  Json keys = Json::object();
  for (const auto& [id, key] : root.keys) {
    keys[id.Hex()] = {{"algorithm", kEd25519}, {"public", HexEncode(key.bytes)}};
  }
  Json roles = Json::object();
  for (const RoleName name : kRoleNames) {
    Json ids = Json::array();
    for (const KeyId& id : root.At(name).keys) ids.push_back(id.Hex());
    roles[std::string(RoleText(name))] = {{"keys", std::move(ids)},
                                          {"threshold", root.At(name).threshold}};
  }
  const Json json = {
      {"keys", std::move(keys)}, {"roles", std::move(roles)}, {"version", root.version}};
  return DumpJson(json);
}

Result<void> CheckRoot(const Root& root) {
  std::set<KeyId> used;
  for (const RoleName name : kRoleNames) {
    const Role& role = root.At(name);
    const std::string what = "role '" + std::string(RoleText(name)) + "'";
    if (role.keys.empty()) return Error(ErrorCode::kInvalidArgument, what + " has no key");
    if (role.threshold < 1 || role.threshold > role.keys.size()) {
      return Error(ErrorCode::kInvalidArgument,
                   what + " has " + std::to_string(role.keys.size()) +
                       " keys; its threshold must be 1 to that number");
    }
    for (const KeyId& id : role.keys) {
      if (!root.keys.contains(id)) {
        return Error(ErrorCode::kInvalidArgument, what + " names a key that is not listed");
      }
      used.insert(id);
    }
  }
  if (used.size() != root.keys.size()) {
    return Error(ErrorCode::kInvalidArgument, "a key is listed that no role has");
  }
  if (root.keys.size() > kMaxRootKeys) {
    return Error(ErrorCode::kInvalidArgument, "more than 64 keys");
  }
  return {};
}

Result<PublicKey> KeyFromJson(const std::string& id, const Json& json) {
  TRY(RefuseUnknownKeys(json, {"algorithm", "public"}));
  const std::string algorithm = TRY(GetString(json, "algorithm"));
  const std::string hex = TRY(GetString(json, "public"));
  PublicKey key;
  if (algorithm != kEd25519 || !HexDecode(hex, key.bytes) || key.Id().Hex() != id) {
    return Bad("a key does not match its id");
  }
  return key;
}

Result<Role> RoleFromJson(const Json& json) {
  TRY(RefuseUnknownKeys(json, {"keys", "threshold"}));
  Role role;
  const int64_t threshold = TRY(GetInt(json, "threshold"));
  if (threshold < 1) return Bad("field 'threshold' must be at least 1");
  role.threshold = static_cast<uint64_t>(threshold);
  const auto keys = json.find("keys");
  if (keys == json.end() || !keys->is_array()) return Bad("field 'keys' must be an array");
  for (const Json& id : *keys) {
    if (!id.is_string()) return Bad("field 'keys' must hold key ids");
    const KeyId key_id = TRY(Sha256Digest::FromHex(id.get_ref<const std::string&>()));
    if (!role.keys.insert(key_id).second) return Bad("a role names a key twice");
  }
  return role;
}

Result<Root> RootFromJson(const Json& json) {
  TRY(RefuseUnknownKeys(json, {"keys", "roles", "version"}));
  Root root;
  const int64_t version = TRY(GetInt(json, "version"));
  if (version < 1 || version > kMaxVersion) return Bad("field 'version' is out of range");
  root.version = static_cast<uint64_t>(version);
  const auto keys = json.find("keys");
  if (keys == json.end() || !keys->is_object()) return Bad("field 'keys' must be an object");
  for (const auto& item : keys->items()) {
    const PublicKey key = TRY(KeyFromJson(item.key(), item.value()));
    root.keys.emplace(key.Id(), key);
  }
  const auto roles = json.find("roles");
  if (roles == json.end()) return Bad("field 'roles' is missing");
  TRY(RefuseUnknownKeys(*roles, {"release", "revoke", "root"}));
  for (const RoleName name : kRoleNames) {
    const auto role = roles->find(RoleText(name));
    if (role == roles->end()) return Bad("role '" + std::string(RoleText(name)) + "' is missing");
    root.At(name) = TRY(RoleFromJson(*role));
  }
  TRY(CheckRoot(root));
  return root;
}

struct Opened {
  SignedRoot root;
  Envelope envelope;
};

Result<Opened> Open(std::string_view text) {
  Opened opened;
  opened.envelope = TRY(ParseEnvelope(text, kRootType, format::kMaxRootBytes).WithContext("root"));
  Root root = TRY(ParseRootPayload(opened.envelope.payload));
  TRY(CheckSignatures(root, RoleName::kRoot, opened.envelope.signatures, kRootType,
                      opened.envelope.payload)
          .WithContext("root"));
  opened.root.root = std::move(root);
  opened.root.fingerprint = Sha256::Of(opened.envelope.payload);
  opened.root.text = text;
  return opened;
}

}  // namespace

Role& Root::At(RoleName name) {
  switch (name) {
    case RoleName::kRelease:
      return release;
    case RoleName::kRevoke:
      return revoke;
    case RoleName::kRoot:
      break;
  }
  return root;
}

Result<std::string> SerializeRootPayload(const Root& root) {
  TRY(CheckRoot(root));
  return PayloadText(root);
}

Result<Root> ParseRootPayload(std::string_view payload) {
  const JsonLimits limits{
      .max_bytes = format::kMaxRootBytes, .max_depth = 4, .allow_floats = false};
  const Json json = TRY(ParseJson(payload, limits).WithContext("root"));
  Result<Root> root = RootFromJson(json);
  if (!root) return Bad("root: " + root.error().message());
  if (PayloadText(*root) != payload) return Bad("root: its payload is not in canonical spelling");
  return root;
}

Result<SignedRoot> ParseRoot(std::string_view text) {
  Opened opened = TRY(Open(text));
  return std::move(opened.root);
}

Result<SignedRoot> ParseSuccessor(const SignedRoot& current, std::string_view text) {
  Opened opened = TRY(Open(text));
  const uint64_t wanted = current.root.version + 1;
  if (opened.root.root.version != wanted) {
    return Error(ErrorCode::kUntrusted, "root version " + std::to_string(opened.root.root.version) +
                                            " does not follow version " +
                                            std::to_string(current.root.version));
  }
  TRY(CheckSignatures(current.root, RoleName::kRoot, opened.envelope.signatures, kRootType,
                      opened.envelope.payload)
          .WithContext("root version " + std::to_string(wanted) +
                       ", by the keys of the version before"));
  return std::move(opened.root);
}

Result<RootChain> ParseRootChain(std::string_view text) {
  if (text.size() > format::kMaxRootFileBytes) {
    return Error(ErrorCode::kExhausted, "the root file is larger than 4 MiB");
  }
  RootChain chain;
  while (!text.empty()) {
    if (chain.roots.size() == format::kMaxRoots) {
      return Bad("the root file has more than " + std::to_string(format::kMaxRoots) + " lines");
    }
    const std::string_view line = text.substr(0, text.find('\n') + 1);
    if (line.empty()) return Bad("the last line of the root file does not end in a line feed");
    text.remove_prefix(line.size());
    SignedRoot root =
        TRY((chain.roots.empty() ? ParseRoot(line) : ParseSuccessor(chain.newest(), line))
                .WithContext("line " + std::to_string(chain.roots.size() + 1)));
    chain.roots.push_back(std::move(root));
  }
  if (chain.roots.empty()) return Bad("the root file is empty");
  return chain;
}

std::string SerializeRootChain(const RootChain& chain) {
  std::string text;
  for (const SignedRoot& root : chain.roots) text += root.text;
  return text;
}

Result<RootChain> FollowRoots(RootChain chain, std::span<const RootText> later) {
  for (const RootText& next : later) {
    const uint64_t newest = chain.newest().root.version;
    if (next.version <= newest) continue;
    if (next.version != newest + 1) {
      return Error(ErrorCode::kUntrusted,
                   "root version " + std::to_string(next.version) + " does not follow version " +
                       std::to_string(newest) + "; version " + std::to_string(newest + 1) +
                       " is missing: a root file or bundle with all versions from it on is wanted");
    }
    SignedRoot root = TRY(ParseSuccessor(chain.newest(), next.text)
                              .WithContext("root version " + std::to_string(next.version)));
    chain.roots.push_back(std::move(root));
    if (chain.roots.size() > format::kMaxRoots) chain.roots.erase(chain.roots.begin());
  }
  return chain;
}

Result<std::vector<KeyId>> CheckSignatures(const Root& root, RoleName role_name,
                                           std::span<const Signature> signatures,
                                           std::string_view type, std::string_view payload,
                                           const std::set<KeyId>& revoked) {
  const Role& role = root.At(role_name);
  std::set<KeyId> signers;
  size_t unknown = 0, revoked_count = 0, other_role = 0;
  for (const Signature& signature : signatures) {
    const auto key = root.keys.find(signature.key_id);
    if (key == root.keys.end()) {
      ++unknown;
      continue;
    }
    if (!Verify(key->second, signature, type, payload)) {
      return Error(ErrorCode::kUntrusted,
                   "the signature by key " + signature.key_id.Hex().substr(0, 16) +
                       " does not hold: the content was changed after signing");
    }
    if (revoked.contains(signature.key_id)) {
      ++revoked_count;
    } else if (!role.keys.contains(signature.key_id)) {
      ++other_role;
    } else {
      signers.insert(signature.key_id);
    }
  }
  if (signers.size() < role.threshold) {
    std::string message = std::to_string(signers.size()) + " of " + std::to_string(role.threshold) +
                          " required signatures by " + std::string(RoleText(role_name)) +
                          " keys of root version " + std::to_string(root.version);
    if (unknown > 0) message += "; " + std::to_string(unknown) + " by keys it does not know";
    if (other_role > 0) message += "; " + std::to_string(other_role) + " by keys of other roles";
    if (revoked_count > 0) message += "; " + std::to_string(revoked_count) + " by revoked keys";
    return Error(ErrorCode::kUntrusted, message);
  }
  return std::vector<KeyId>(signers.begin(), signers.end());
}

}  // namespace skerry::trust
