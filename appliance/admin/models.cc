#include "appliance/admin/models.h"

#include <nlohmann/json.hpp>

#include "appliance/admin/store_models.h"
#include "appliance/base/log.h"

namespace skerry::admin {

Result<void> Models::Reconcile() {
  TRY(trust_.Refresh());
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
    models.push_back({row, IsStored(core_.files(), row.digest), trust_.StandingOf(row.digest)});
  }
  return models;
}

Result<RegisteredModel> Models::Register(const std::string& digest) {
  TRY(ReadStoredModel(core_.files(), digest));  // names what is wrong with the request first
  TRY(trust_.Refresh());
  return PutRow(digest);
}

Result<void> Models::CheckStanding(const std::string& digest) {
  const trust::Standing standing = trust_.StandingOf(digest);
  if (!standing.revoked()) return {};
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
  TRY(core_.Record("model-registered", digest, nullptr,
                   {{"id", registered.row.id},
                    {"version", registered.row.version},
                    {"release_seq", registered.row.release_seq}}));
  const Result<void> put =
      core_.WithStore([&](store::Store& store) { return store.PutModel(registered.row); });
  if (!put) {
    core_.RecordFailure("model-registered", digest, put.error());
    return put.error();
  }
  return registered;
}

Result<store::ModelRow> Models::Find(const std::string& name) {
  Result<store::ModelRow> model = core_.WithStore([&](store::Store& store) {
    return supervisor::IsModelDigest(name) ? store.Model(name) : store.NewestModel(name);
  });
  if (model || model.error().code() != ErrorCode::kNotFound) return model;
  return Error(ErrorCode::kNotFound,
               "there is no model '" + name + "': 'skerry models ls' shows what was imported");
}

}  // namespace skerry::admin
