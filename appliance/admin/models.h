// Verified models: what lies in the store, registered in the database.
#pragma once

#include <string>
#include <vector>

#include "appliance/admin/core.h"
#include "appliance/admin/trust_keeper.h"
#include "appliance/base/result.h"
#include "appliance/store/store.h"

namespace skerry::admin {

struct ModelStatus {
  store::ModelRow row;
  bool present = true;  // its files are in the store
  trust::Standing standing;
};

struct RegisteredModel {
  store::ModelRow row;
  bool already_registered = false;
};

// Thread-safe.
class Models {
 public:
  Models(Core& core, TrustKeeper& trust) : core_(core), trust_(trust) {}

  // After a start: takes over the trust that came with models, registers what the store has and the
  // database lacks, and forgets what the store lacks and no instance needs. A damaged folder is
  // left alone, with a line in the log.
  Result<void> Reconcile();

  Result<std::vector<ModelStatus>> List();
  // Takes over the trust that came with it, too. Errors as ReadStoredModel and
  // TrustKeeper::Refresh.
  Result<RegisteredModel> Register(const std::string& digest);
  // A registered model by digest or by id (the highest release). kNotFound.
  Result<store::ModelRow> Find(const std::string& name);
  // kUntrusted, saying why, for a model that was revoked since its import.
  Result<void> CheckStanding(const std::string& digest);

 private:
  Result<RegisteredModel> PutRow(const std::string& digest);

  Core& core_;
  TrustKeeper& trust_;
};

}  // namespace skerry::admin
