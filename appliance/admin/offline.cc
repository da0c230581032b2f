#include "appliance/admin/offline.h"

#include <memory>

#include "appliance/admin/core.h"
#include "appliance/admin/trust_keeper.h"

namespace skerry::admin {

Result<RemovedModel> RemoveOffline(const std::string& data_directory, const std::string& name,
                                   const Clock& clock) {
  const std::unique_ptr<Core> core = TRY(Core::Open(data_directory, clock));
  TrustKeeper trust(*core, SKERRY_VERSION);
  Models models(*core, trust);
  TRY(models.Reconcile());
  const std::vector<store::InstanceRow> rows =
      TRY(core->WithStore([](store::Store& store) { return store.Instances(); }));
  for (const store::InstanceRow& row : rows) {
    if (row.desired) continue;
    TRY(core->WithStore([&](store::Store& store) { return store.DeleteInstance(row.iid); }));
  }
  return models.Remove(name);
}

}  // namespace skerry::admin
