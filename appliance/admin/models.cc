#include "appliance/admin/models.h"

#include <nlohmann/json.hpp>

#include "appliance/admin/store_models.h"
#include "appliance/admin/store_removal.h"
#include "appliance/base/log.h"

namespace skerry::admin {

namespace {

constexpr std::string_view kDigestPrefix = "sha256-";
constexpr size_t kMinDigestDigits = 8;

bool IsHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The digits of `name` when it can be the beginning of a digest, with or without "sha256-".
std::optional<std::string> DigestDigits(std::string_view name) {
  if (name.starts_with(kDigestPrefix)) name.remove_prefix(kDigestPrefix.size());
  if (name.size() < kMinDigestDigits || !IsHex(name)) return std::nullopt;
  return std::string(name);
}

Error NoSuchModel(const std::string& name) {
  return Error(ErrorCode::kNotFound,
               "there is no model '" + name + "': 'skerry models ls' shows what was imported");
}

}  // namespace

Result<void> Models::Reconcile() {
  TRY(trust_.Refresh());
  const std::lock_guard lock(change_mu_);
  const Result<void> emptied = RemoveTakenOut(core_.files());
  if (!emptied) LogWarning("what is left of a removed model: " + emptied.error().message());
  const std::vector<std::string> stored = TRY(ListStoredModels(core_.files()));
  for (const std::string& digest : stored) {
    const Result<RegisteredModel> registered = PutRow(digest);
    if (!registered) LogError(registered.error().message());
  }
  const std::vector<ModelStatus> known = TRY(List());
  for (const ModelStatus& model : known) {
    if (model.present) continue;
    const Result<void> forgotten =
        core_.WithStore([&](store::Store& store) { return store.DeleteModel(model.row.digest); });
    LogWarning("model '" + model.row.id + "' (" + model.row.digest +
               ") is not in the store any more" +
               (forgotten ? ": forgotten" : "; kept, because an instance of it is to run"));
  }
  return {};
}

Result<std::vector<ModelStatus>> Models::List() {
  const std::vector<store::ModelRow> rows =
      TRY(core_.WithStore([](store::Store& store) { return store.Models(); }));
  std::vector<ModelStatus> models;
  for (const store::ModelRow& row : rows) {
    ModelStatus status;
    status.row = row;
    status.present = IsStored(core_.files(), row.digest);
    status.standing = trust_.StandingOf(row.digest);
    status.may_load = CheckStanding(status.standing).has_value();
    status.templates = ReadStoredTemplates(core_.files(), row.digest);
    models.push_back(std::move(status));
  }
  return models;
}

Result<RegisteredModel> Models::Register(const std::string& digest) {
  TRY(ReadStoredModel(core_.files(), digest));  // names what is wrong with the request first
  TRY(trust_.Refresh());
  const std::lock_guard lock(change_mu_);
  return PutRow(digest);
}

Result<std::string> Models::CheckStanding(const std::string& digest) {
  return CheckStanding(trust_.StandingOf(digest));
}

Result<std::string> Models::CheckStanding(const trust::Standing& standing) const {
  if (standing.good()) return std::string();
  if (!standing.readable()) {
    return Error(ErrorCode::kUntrusted,
                 "nobody can tell whether the model is revoked, so it is not loaded: " +
                     standing.text + "; remove it with 'skerry models rm', import it again");
  }
  if (core_.settings().revoked_models == settings::RevokedModels::kWarn) return standing.text;
  return Error(ErrorCode::kUntrusted, "the model is revoked and is not loaded: " + standing.text);
}

Result<RegisteredModel> Models::PutRow(const std::string& digest) {
  RegisteredModel registered;
  registered.row = TRY(ReadStoredModel(core_.files(), digest));
  const Result<store::ModelRow> known =
      core_.WithStore([&](store::Store& store) { return store.Model(digest); });
  if (known && *known == registered.row) {
    registered.already_registered = true;
    return registered;
  }
  Json after = {{"id", registered.row.id},
                {"version", registered.row.version},
                {"release_seq", registered.row.release_seq}};
  const std::optional<std::vector<receipts::Template>> templates =
      ReadStoredTemplates(core_.files(), digest);
  if (templates) after["templates"] = TemplatesToJson(*templates);
  TRY(core_.Record("model-registered", digest, nullptr, after));
  const Result<void> put =
      core_.WithStore([&](store::Store& store) { return store.PutModel(registered.row); });
  if (!put) {
    core_.RecordFailure("model-registered", digest, put.error());
    return put.error();
  }
  return registered;
}

Result<std::vector<store::ModelRow>> Models::Matching(const std::string& name) {
  const std::vector<store::ModelRow> rows =
      TRY(core_.WithStore([](store::Store& store) { return store.Models(); }));
  const std::optional<std::string> digits = DigestDigits(name);
  std::vector<store::ModelRow> matching;
  for (const store::ModelRow& row : rows) {
    const std::string_view own = std::string_view(row.digest).substr(kDigestPrefix.size());
    if (row.id == name || (digits && own.starts_with(*digits))) matching.push_back(row);
  }
  return matching;
}

Result<store::ModelRow> Models::Find(const std::string& name) {
  const std::vector<store::ModelRow> matching = TRY(Matching(name));
  if (matching.empty()) return NoSuchModel(name);
  if (matching.size() > 1 && matching.front().id != name) {
    return Error(ErrorCode::kInvalidArgument,
                 "the digests of several models begin with '" + name + "': give more of it");
  }
  return core_.WithStore([&](store::Store& store) {
    return matching.size() == 1 ? store.Model(matching.front().digest) : store.NewestModel(name);
  });
}

Result<RemovedModel> Models::FindForRemoval(const std::string& name) {
  const std::vector<store::ModelRow> matching = TRY(Matching(name));
  if (matching.size() > 1) {
    std::string list;
    for (const store::ModelRow& row : matching) {
      list += (list.empty() ? "" : ", ") + row.digest + " (release " +
              std::to_string(row.release_seq) + ")";
    }
    return Error(ErrorCode::kInvalidArgument,
                 "'" + name + "' may be one of " + std::to_string(matching.size()) +
                     " models: name the one to remove by its digest: " + list);
  }
  if (matching.size() == 1) {
    return RemovedModel{matching[0].digest, matching[0].id, matching[0].size_bytes};
  }
  // A damaged one, which was not registered.
  if (supervisor::IsModelDigest(name) && IsStored(core_.files(), name)) {
    return RemovedModel{name, "", 0};
  }
  return NoSuchModel(name);
}

// An instance needs it from the first try to load it until it is unloaded.
Result<void> Models::CheckUnused(const RemovedModel& model) {
  const std::vector<store::InstanceRow> rows =
      TRY(core_.WithStore([](store::Store& store) { return store.Instances(); }));
  for (const store::InstanceRow& row : rows) {
    if (row.model != model.digest) continue;
    return Error(ErrorCode::kInvalidArgument, "model '" + model.id + "' is loaded as '" +
                                                  row.alias + "': 'skerry models unload " +
                                                  row.alias + "' first");
  }
  return {};
}

Result<RemovedModel> Models::Remove(const std::string& name) {
  RemovedModel model = TRY(FindForRemoval(name));
  TRY(CheckUnused(model));
  // What came with it counts although it goes: its floor, its receipt, its roots and list.
  TRY(trust_.Refresh());
  const std::lock_guard lock(change_mu_);
  Json before = {{"id", model.id}};
  const Result<store::ModelRow> row =
      core_.WithStore([&](store::Store& store) { return store.Model(model.digest); });
  if (row) before = {{"id", row->id}, {"version", row->version}, {"release_seq", row->release_seq}};
  TRY(core_.Record("model-removed", model.digest, before, nullptr));
  const auto remove = [&]() -> Result<void> {
    // The database first: from here on nothing can be loaded from it, and a power cut before the
    // next line leaves a model that the next start registers again.
    if (row) {
      TRY(core_.WithStore([&](store::Store& store) { return store.DeleteModel(model.digest); }));
    }
    Result<void> taken = TakeOut(core_.files(), model.digest);
    // Its files were gone already.
    if (!taken && taken.error().code() == ErrorCode::kNotFound) return {};
    if (!taken && row) {
      (void)core_.WithStore([&](store::Store& store) { return store.PutModel(*row); });
    }
    return taken;
  };
  const Result<void> removed = remove();
  if (!removed) {
    core_.RecordFailure("model-removed", model.digest, removed.error());
    return removed.error();
  }
  const Result<void> emptied = RemoveTakenOut(core_.files());
  if (!emptied) LogWarning("what is left of a removed model: " + emptied.error().message());
  const Result<void> forgotten = trust_.Refresh();
  if (!forgotten) LogWarning("trust: " + forgotten.error().message());
  return model;
}

}  // namespace skerry::admin
