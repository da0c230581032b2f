#include "appliance/admin/trust_keeper.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "appliance/admin/recorded_trust.h"
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

// Of the database: what the journal was told last, as JSON.
constexpr char kRecordedSetting[] = "recorded_trust";

std::optional<receipts::FloorFact> FloorOf(const std::map<std::string, trust::Floor>& floors,
                                           const std::string& id) {
  const auto floor = floors.find(id);
  if (floor == floors.end()) return std::nullopt;
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
  std::optional<std::vector<receipts::Template>> templates = TRY(TemplatesOfImport(json));
  if (templates) receipt.templates = std::move(*templates);
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

Result<RecordedTrust> TrustKeeper::LoadRecorded() {
  const std::optional<std::string> text =
      TRY(core_.WithStore([](store::Store& store) { return store.Setting(kRecordedSetting); }));
  return text ? ParseRecordedTrust(*text) : RecordedTrust();
}

Result<void> TrustKeeper::SaveRecorded(const RecordedTrust& before, const RecordedTrust& after) {
  if (before == after) return {};
  const std::string text = SerializeRecordedTrust(after);
  return core_.WithStore(
      [&](store::Store& store) { return store.PutSetting(kRecordedSetting, text); });
}

Result<void> TrustKeeper::WriteReceipts(const RecordedTrust& before,
                                        const trust::TrustState& after) {
  if (after.taken.empty()) return {};
  const receipts::Identity identity = TRY(receipts::Identity::Open(core_.files()));
  receipts::Ledger ledger = TRY(receipts::Ledger::Open(core_.files(), identity));
  std::vector<receipts::Receipt> missing;
  for (const Sha256Digest& bundle : after.taken) {
    const std::string digest = "sha256-" + bundle.Hex();
    Result<receipts::Receipt> receipt = ReceiptOf(core_.files(), digest);
    if (!receipt) {
      LogWarning("no receipt for 'store/" + digest + "': " + receipt.error().message());
      continue;
    }
    const std::optional<receipts::SignedReceipt> known =
        TRY(ledger.Find(bundle, receipt->imported_at));
    if (!known) missing.push_back(std::move(*receipt));
  }
  // Those of several imports while nothing ran are numbered in the order that their times tell.
  std::stable_sort(missing.begin(), missing.end(),
                   [](const auto& a, const auto& b) { return a.imported_at < b.imported_at; });
  for (receipts::Receipt& receipt : missing) {
    for (const trust::SignedRoot& root : after.roots.roots) {
      if (root.root.version == receipt.root_version) receipt.root_fingerprint = root.fingerprint;
    }
    receipt.revocations = after.revocations.sequence;
    receipt.floor_before = FloorOf(before.floors, receipt.id);
    receipt.floor_after = FloorOf(after.floors, receipt.id);
    receipt.software = software_;
    const std::string digest = "sha256-" + receipt.bundle.Hex();
    const receipts::SignedReceipt next = ledger.Prepare(std::move(receipt));
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
  trust::TrustState state = TRY(trust::LoadTrust(core_.files()));
  // One bad sector must not keep the service from starting; an import looks again and refuses.
  const std::vector<std::string> warnings =
      TRY(trust::AbsorbStore(core_.files(), state, trust::Unreadable::kIsLeftOut));
  for (const std::string& warning : warnings) LogWarning("trust: " + warning);
  const RecordedTrust before = TRY(LoadRecorded());
  const RecordedTrust after = ToRecorded(state);
  for (const TrustChange& change : TrustChanges(before, after)) {
    TRY(core_.Record(change.action, change.target, change.before, change.after));
  }
  // Before it is remembered as recorded: a power cut must not lose what the floor was before.
  TRY(WriteReceipts(before, state));
  TRY(trust::SaveTrust(core_.files(), state));
  TRY(SaveRecorded(before, after));
  state_ = std::move(state);
  return {};
}

TrustKeeper::Summary TrustKeeper::Summarize() const {
  const std::lock_guard lock(mu_);
  if (!state_) return {};
  return {state_->root().version, state_->revocations.sequence, state_->floors.size()};
}

trust::Standing TrustKeeper::StandingOf(const std::string& digest) {
  const std::lock_guard lock(mu_);
  if (!state_) return {};
  const Result<trust::ImportedFacts> facts = trust::ReadImportedFacts(core_.files(), digest);
  if (facts) facts_.insert_or_assign(digest, *facts);
  const auto known = facts_.find(digest);
  if (known != facts_.end()) return trust::StandingOf(*state_, known->second);
  return {trust::StandingReason::kUnreadable, facts.error().message()};
}

}  // namespace skerry::admin
