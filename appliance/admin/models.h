// Verified models: what lies in the store, registered in the database.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "appliance/admin/core.h"
#include "appliance/admin/trust_keeper.h"
#include "appliance/base/result.h"
#include "appliance/receipts/receipt.h"
#include "appliance/store/store.h"

namespace skerry::admin {

struct ModelStatus {
  store::ModelRow row;
  bool present = true;  // its files are in the store
  trust::Standing standing;
  bool may_load = true;  // by its standing and the settings
  // Chat templates; none: the import recorded none, or it cannot be read.
  std::optional<std::vector<receipts::Template>> templates;
};

struct RegisteredModel {
  store::ModelRow row;
  bool already_registered = false;
};

struct RemovedModel {
  std::string digest;
  std::string id;  // empty: it was never registered
  int64_t size_bytes = 0;
};

// Thread-safe.
class Models {
 public:
  Models(Core& core, TrustKeeper& trust) : core_(core), trust_(trust) {}

  // After a start: takes over the trust that came with models, registers what the store has and the
  // database lacks, forgets what the store lacks and no instance needs, and finishes removals. A
  // damaged folder is left alone, with a line in the log.
  Result<void> Reconcile();

  Result<std::vector<ModelStatus>> List();
  // Takes over the trust that came with it, too. Errors as ReadStoredModel and
  // TrustKeeper::Refresh.
  Result<RegisteredModel> Register(const std::string& digest);
  // A registered model by digest, by its beginning (8 digits at least) or by id (the highest
  // release). kNotFound; kInvalidArgument for a beginning that several have.
  Result<store::ModelRow> Find(const std::string& name);
  // Takes a model out of database and store: by digest (its beginning), or by an id of which there
  // is one release. Its receipt and the floor of its id stay. Recorded before it is done; after a
  // power cut at any instant the model is there whole or gone. kNotFound; kInvalidArgument when
  // several releases match, or while it is loaded.
  Result<RemovedModel> Remove(const std::string& name);

  // Whether a model may be loaded: kUntrusted, saying why, for one that was revoked since its
  // import, or of which nobody can tell. Where the settings let a revoked one go on all the same:
  // why it is revoked; else an empty text.
  Result<std::string> CheckStanding(const std::string& digest);

 private:
  Result<std::string> CheckStanding(const trust::Standing& standing) const;
  Result<RegisteredModel> PutRow(const std::string& digest);
  // What Remove means by `name`.
  Result<RemovedModel> FindForRemoval(const std::string& name);
  Result<std::vector<store::ModelRow>> Matching(const std::string& name);
  Result<void> CheckUnused(const RemovedModel& model);

  Core& core_;
  TrustKeeper& trust_;
  std::mutex change_mu_;  // one registration or removal at a time
};

}  // namespace skerry::admin
