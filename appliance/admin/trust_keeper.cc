#include "appliance/admin/trust_keeper.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "appliance/admin/store_models.h"
#include "appliance/base/json.h"
#include "appliance/base/log.h"
#include "appliance/receipts/ledger.h"
#include "bundler/format/layout.h"
#include "bundler/format/manifest.h"
#include "bundler/trust/absorb.h"

namespace skerry::admin {

namespace {

constexpr size_t kMaxImportBytes = 1 << 20;

Json Describe(const trust::Floor& floor) {
  return {{"bundle", floor.digest.Hex()}, {"release_seq", floor.release_seq}};
}

Json Describe(const trust::SignedRoot& root) {
  return {{"fingerprint", root.fingerprint.Hex()}, {"version", root.root.version}};
}

std::optional<receipts::FloorFact> FloorOf(const trust::TrustState& state, const std::string& id) {
  const auto floor = state.floors.find(id);
  if (floor == state.floors.end()) return std::nullopt;
  return receipts::FloorFact{floor->second.release_seq, floor->second.digest};
}

Result<std::vector<trust::KeyId>> KeyIds(const Json& json, const char* key) {
  std::vector<trust::KeyId> ids;
  const auto list = json.find(key);
  if (list == json.end()) return ids;
  if (!list->is_array()) {
    return Error(ErrorCode::kCorrupt, "field '" + std::string(key) + "' must be an array");
  }
  for (const Json& item : *list) {
    if (!item.is_string()) {
      return Error(ErrorCode::kCorrupt, "field '" + std::string(key) + "' must hold key ids");
    }
    const trust::KeyId id = TRY(Sha256Digest::FromHex(item.get_ref<const std::string&>()));
    ids.push_back(id);
  }
  return ids;
}

// What the importer wrote down, which imports of the first releases did less of.
Result<void> ReadImport(const Json& json, receipts::Receipt& receipt) {
  receipt.model_format = TRY(GetString(json, "model_format"));
  receipt.imported_at = TRY(GetString(json, "imported_at"));
  receipt.signers = TRY(KeyIds(json, "signers"));
  receipt.release_keys = TRY(KeyIds(json, "release_keys"));
  const int64_t threshold = TRY(GetIntOr(json, "release_threshold", 1));
  const int64_t root_version = TRY(GetInt(json, "root_version"));
  receipt.release_threshold = static_cast<uint64_t>(threshold);
  receipt.root_version = static_cast<uint64_t>(root_version);
  const auto permit = json.find("permit");
  if (permit != json.end() && permit->is_string()) {
    receipt.permit = TRY(Sha256Digest::FromHex(permit->get_ref<const std::string&>()));
  }
  const auto templates = json.find("templates");
  if (templates == json.end() || !templates->is_array()) return {};
  for (const Json& item : *templates) {
    receipts::Template entry;
    entry.name = TRY(GetString(item, "name"));
    const std::string sha256 = TRY(GetString(item, "sha256"));
    entry.sha256 = TRY(Sha256Digest::FromHex(sha256));
    receipt.templates.push_back(std::move(entry));
  }
  return {};
}

// The receipt of stored model `digest`, without what only the ledger and the trust state know.
Result<receipts::Receipt> ReceiptOf(FileSystem& files, const std::string& digest) {
  const std::string folder = "store/" + digest;
  const std::string text =
      TRY(ReadAll(files, folder + "/bundle/manifest", format::kMaxManifestBytes));
  const format::Manifest manifest = TRY(format::ParseManifest(text));
  const std::string import_text = TRY(ReadAll(files, folder + "/import.json", kMaxImportBytes));
  const Json json = TRY(ParseJson(import_text));
  receipts::Receipt receipt;
  TRY(ReadImport(json, receipt).WithContext("import.json"));
  receipt.bundle = Sha256::Of(std::string_view(text));
  receipt.model = format::ModelDigest(manifest);
  receipt.id = manifest.id;
  receipt.version = manifest.version;
  receipt.release_seq = manifest.release_seq;
  receipt.files = manifest.files;
  receipt.documents = manifest.documents;
  return receipt;
}

}  // namespace

Result<void> TrustKeeper::RecordChanges(const trust::TrustState& before,
                                        const trust::TrustState& after) {
  const trust::SignedRoot& old_root = before.roots.newest();
  const trust::SignedRoot& new_root = after.roots.newest();
  if (old_root.fingerprint != new_root.fingerprint) {
    TRY(core_.Record("trust-root-changed", "root", Describe(old_root), Describe(new_root)));
  }
  if (before.revocations.sequence != after.revocations.sequence) {
    TRY(core_.Record("revocations-changed", "revocations",
                     {{"sequence", before.revocations.sequence}},
                     {{"sequence", after.revocations.sequence}}));
  }
  for (const Sha256Digest& permit : after.used_permits) {
    if (before.used_permits.contains(permit)) continue;
    TRY(core_.Record("permit-used", permit.Hex(), nullptr, nullptr));
  }
  for (const auto& [id, floor] : after.floors) {
    const auto old = before.floors.find(id);
    if (old != before.floors.end() && old->second == floor) continue;
    TRY(core_.Record("floor-changed", id,
                     old == before.floors.end() ? Json() : Describe(old->second), Describe(floor)));
  }
  return {};
}

Result<void> TrustKeeper::WriteReceipts(const trust::TrustState& before,
                                        const trust::TrustState& after) {
  if (after.taken.empty()) return {};
  const receipts::Identity identity = TRY(receipts::Identity::Open(core_.files()));
  receipts::Ledger ledger = TRY(receipts::Ledger::Open(core_.files(), identity));
  for (const Sha256Digest& bundle : after.taken) {
    const std::string digest = "sha256-" + bundle.Hex();
    Result<receipts::Receipt> receipt = ReceiptOf(core_.files(), digest);
    if (!receipt) {
      LogWarning("no receipt for 'store/" + digest + "': " + receipt.error().message());
      continue;
    }
    const std::optional<receipts::SignedReceipt> known =
        TRY(ledger.Find(bundle, receipt->imported_at));
    if (known) continue;
    for (const trust::SignedRoot& root : after.roots.roots) {
      if (root.root.version == receipt->root_version) receipt->root_fingerprint = root.fingerprint;
    }
    receipt->revocations = after.revocations.sequence;
    receipt->floor_before = FloorOf(before, receipt->id);
    receipt->floor_after = FloorOf(after, receipt->id);
    receipt->software = software_;
    const receipts::SignedReceipt next = ledger.Prepare(std::move(*receipt));
    TRY(core_.Record("receipt-written", digest, nullptr,
                     {{"counter", next.receipt.counter}, {"sha256", next.digest.Hex()}}));
    TRY(ledger.Write(next));
  }
  return {};
}

Result<void> TrustKeeper::Refresh() {
  const std::lock_guard lock(mu_);
  if (!core_.files().Exists(trust::kRootPath)) {
    state_.reset();
    return {};
  }
  const trust::TrustLock trust_lock = TRY(trust::TrustLock::Take(core_.data_directory()));
  const trust::TrustState stored = TRY(trust::LoadTrust(core_.files()));
  trust::TrustState state = stored;
  const std::vector<std::string> warnings = TRY(trust::AbsorbStore(core_.files(), state));
  for (const std::string& warning : warnings) LogWarning("trust: " + warning);
  // What a command changed below trust/ while this service ran is recorded here, too.
  TRY(RecordChanges(state_ ? *state_ : stored, state));
  // Before the floors are saved: a power cut must not lose what the floor was before.
  TRY(WriteReceipts(stored, state));
  TRY(trust::SaveTrust(core_.files(), state));
  state_ = std::move(state);
  return {};
}

TrustKeeper::Summary TrustKeeper::Summarize() const {
  const std::lock_guard lock(mu_);
  if (!state_) return {};
  return {state_->root().version, state_->revocations.sequence, state_->floors.size()};
}

trust::Standing TrustKeeper::StandingOf(const std::string& digest) const {
  const std::lock_guard lock(mu_);
  if (!state_) return {};
  const Result<trust::ImportedFacts> facts = trust::ReadImportedFacts(core_.files(), digest);
  return facts ? trust::StandingOf(*state_, *facts) : trust::Standing{};
}

}  // namespace skerry::admin
