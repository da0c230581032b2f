// Verified models: what lies in the store, registered in the database.
#pragma once

#include <string>
#include <vector>

#include "appliance/admin/core.h"
#include "appliance/base/result.h"
#include "appliance/store/store.h"

namespace skerry::admin {

struct ModelStatus {
  store::ModelRow row;
  bool present = true;  // its files are in the store
};

struct RegisteredModel {
  store::ModelRow row;
  bool already_registered = false;
};

// Thread-safe.
class Models {
 public:
  explicit Models(Core& core) : core_(core) {}

  // After a start: registers what the store has and the database lacks, and forgets what the store
  // lacks and no instance needs. A damaged folder is left alone, with a line in the log.
  Result<void> Reconcile();

  Result<std::vector<ModelStatus>> List();
  // Errors as ReadStoredModel.
  Result<RegisteredModel> Register(const std::string& digest);
  // A registered model by digest or by id (the highest release). kNotFound.
  Result<store::ModelRow> Find(const std::string& name);

 private:
  Core& core_;
};

}  // namespace skerry::admin
