#include "bundler/build/trust_documents.h"

#include <algorithm>
#include <array>

#include "bundler/format/layout.h"
#include "bundler/format/names.h"

namespace skerry::build {

namespace {

using trust::Envelope;
using trust::KeyId;
using trust::RoleName;
using trust::Root;

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

// A role whose signatures a document needs.
struct Need {
  const Root* root;
  RoleName role;
};

// Adds a signature by each of `keys`; one that is there already stays as it is.
Result<void> Sign(Envelope& envelope, std::span<const Need> needs,
                  std::span<const SecretKey> keys) {
  for (const SecretKey& key : keys) {
    const KeyId id = key.public_key().Id();
    const bool wanted = std::any_of(needs.begin(), needs.end(), [&](const Need& need) {
      return need.root->At(need.role).keys.contains(id);
    });
    if (!wanted) {
      return Invalid("key " + id.Hex().substr(0, 16) + " (made for role '" +
                     std::string(trust::RoleText(key.role())) + "') is not in role '" +
                     std::string(trust::RoleText(needs[0].role)) +
                     "' of the root; its signature "
                     "would not count");
    }
    const bool there = std::any_of(envelope.signatures.begin(), envelope.signatures.end(),
                                   [&](const trust::Signature& old) { return old.key_id == id; });
    if (!there) envelope.signatures.push_back(key.Sign(envelope.type, envelope.payload));
  }
  return {};
}

// What is missing to the thresholds; an error when a signature does not hold.
Result<std::vector<std::string>> Missing(const Envelope& envelope, std::span<const Need> needs) {
  std::vector<std::string> missing;
  for (const Need& need : needs) {
    Root asked = *need.root;
    const uint64_t threshold = asked.At(need.role).threshold;
    asked.At(need.role).threshold = 0;
    const std::vector<KeyId> signers = TRY(trust::CheckSignatures(
        asked, need.role, envelope.signatures, envelope.type, envelope.payload));
    if (signers.size() >= threshold) continue;
    missing.push_back(std::to_string(threshold - signers.size()) + " more by " +
                      std::string(trust::RoleText(need.role)) + " keys of root version " +
                      std::to_string(need.root->version) + " (" + std::to_string(signers.size()) +
                      " of " + std::to_string(threshold) + ")");
  }
  return missing;
}

Result<SignedDocument> Finish(Envelope envelope, std::span<const Need> needs,
                              std::span<const SecretKey> keys, std::string before = "") {
  TRY(Sign(envelope, needs, keys));
  SignedDocument document;
  document.missing = TRY(Missing(envelope, needs));
  document.text = std::move(before) + trust::SerializeEnvelope(std::move(envelope));
  return document;
}

// Lines before the last one, and the last one.
std::pair<std::string_view, std::string_view> CutLastLine(std::string_view text) {
  const std::string_view whole = text.ends_with('\n') ? text.substr(0, text.size() - 1) : text;
  const size_t at = whole.rfind('\n');
  const size_t split = at == std::string_view::npos ? 0 : at + 1;
  return {text.substr(0, split), text.substr(split)};
}

Result<SignedDocument> AddToRoot(std::string_view text, std::span<const SecretKey> keys) {
  const auto [before, last] = CutLastLine(text);
  if (before.empty()) return Invalid("the first root is signed by 'trust init' alone");
  const trust::RootChain chain = TRY(trust::ParseRootChain(before));
  Envelope envelope = TRY(trust::ParseEnvelope(last, trust::kRootType, format::kMaxRootBytes));
  const Root next = TRY(trust::ParseRootPayload(envelope.payload));
  const Root& current = chain.newest().root;
  if (next.version != current.version + 1) {
    return Error(ErrorCode::kUntrusted, "the last line is version " + std::to_string(next.version) +
                                            " and does not follow version " +
                                            std::to_string(current.version));
  }
  const std::array<Need, 2> needs = {Need{&current, RoleName::kRoot}, Need{&next, RoleName::kRoot}};
  return Finish(std::move(envelope), needs, keys, std::string(before));
}

}  // namespace

Result<Sha256Digest> ParseDigest(std::string_view text, const std::string& what) {
  std::string_view hex = text;
  if (hex.starts_with("sha256-")) hex.remove_prefix(7);
  const Result<Sha256Digest> digest = trust::FromGrouped(hex);
  if (!digest) return Invalid(what + " must be 64 hex digits, not " + format::Quote(text));
  return digest;
}

Result<Root> NextRoot(const Root& current, const RootChange& change) {
  Root next = current;
  ++next.version;
  for (const KeyId& id : change.remove) {
    if (next.keys.erase(id) == 0) {
      return Invalid("the root has no key " + id.Hex().substr(0, 16) + " to remove");
    }
    for (const RoleName role : trust::kRoleNames) next.At(role).keys.erase(id);
  }
  for (const trust::PublicKeyFile& file : change.add) {
    const KeyId id = file.key.Id();
    if (!next.At(file.role).keys.insert(id).second) {
      return Invalid("role '" + std::string(trust::RoleText(file.role)) + "' has key " +
                     id.Hex().substr(0, 16) + " already");
    }
    next.keys.emplace(id, file.key);
  }
  for (const auto& [role, threshold] : change.thresholds) next.At(role).threshold = threshold;
  TRY(trust::SerializeRootPayload(next).WithContext("root version " +
                                                    std::to_string(next.version)));
  return next;
}

Result<trust::Revocations> NextRevocations(const trust::Revocations& old,
                                           const RevocationChange& change) {
  trust::Revocations next = old;
  ++next.sequence;
  next.bundles.insert(change.bundles.begin(), change.bundles.end());
  next.models.insert(change.models.begin(), change.models.end());
  next.keys.insert(change.keys.begin(), change.keys.end());
  for (const auto& [id, release_seq] : change.expired) {
    TRY(format::CheckModelId(id));
    uint64_t& lowest = next.expired[id];
    if (release_seq <= lowest) {
      return Invalid("releases of " + format::Quote(id) + " below " + std::to_string(lowest) +
                     " have expired already");
    }
    lowest = release_seq;
  }
  return next;
}

Result<SignedDocument> SignNextRoot(const trust::RootChain& chain, const Root& next,
                                    std::span<const SecretKey> keys) {
  trust::RootChain kept = chain;
  // A root file has at most 64 lines; the oldest one goes.
  if (kept.roots.size() == format::kMaxRoots) kept.roots.erase(kept.roots.begin());
  Envelope envelope;
  envelope.type = trust::kRootType;
  envelope.payload = TRY(trust::SerializeRootPayload(next));
  const Root& current = chain.newest().root;
  const std::array<Need, 2> needs = {Need{&current, RoleName::kRoot}, Need{&next, RoleName::kRoot}};
  return Finish(std::move(envelope), needs, keys, trust::SerializeRootChain(kept));
}

Result<SignedDocument> SignRevocations(const Root& root, const trust::Revocations& list,
                                       std::span<const SecretKey> keys) {
  const std::array<Need, 1> needs = {Need{&root, RoleName::kRevoke}};
  return Finish(
      {std::string(trust::kRevocationsType), trust::SerializeRevocationsPayload(list), {}}, needs,
      keys);
}

Result<SignedDocument> SignPermit(const Root& root, const trust::Permit& permit,
                                  std::span<const SecretKey> keys) {
  const std::array<Need, 1> needs = {Need{&root, RoleName::kRelease}};
  return Finish({std::string(trust::kPermitType), trust::SerializePermitPayload(permit), {}}, needs,
                keys);
}

Result<SignedDocument> AddSignatures(std::string_view text, std::string_view root_text,
                                     std::span<const SecretKey> keys) {
  const std::string_view last = CutLastLine(text).second;
  if (trust::ParseEnvelope(last, trust::kRootType, format::kMaxRootBytes)) {
    return AddToRoot(text, keys);
  }
  Result<Envelope> list =
      trust::ParseEnvelope(text, trust::kRevocationsType, format::kMaxRevocationsBytes);
  Result<Envelope> permit = trust::ParseEnvelope(text, trust::kPermitType, trust::kMaxPermitBytes);
  if (!list && !permit) {
    return Error(ErrorCode::kCorrupt, "neither a root file, nor a revocation list, nor a permit");
  }
  if (root_text.empty()) return Invalid("name the root file that it is for with --trust");
  const trust::RootChain chain = TRY(trust::ParseRootChain(root_text));
  const std::array<Need, 1> needs = {
      Need{&chain.newest().root, list ? RoleName::kRevoke : RoleName::kRelease}};
  return Finish(list ? *std::move(list) : *std::move(permit), needs, keys);
}

}  // namespace skerry::build
