// What a command has the admin service's own program do while no appliance runs, so that database,
// journal and receipts have one writer whatever happens.
#pragma once

#include <string>

#include "appliance/admin/models.h"
#include "appliance/base/clock.h"
#include "appliance/base/result.h"

namespace skerry::admin {

// Removes a model as Models::Remove does, after what a start does first: what imports left is taken
// over, loads that were under way when the service ended are given up. The caller holds the data
// directory's lock.
Result<RemovedModel> RemoveOffline(const std::string& data_directory, const std::string& name,
                                   const Clock& clock = RealClock());

}  // namespace skerry::admin
