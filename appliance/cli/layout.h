// The directories that every appliance has below its data directory (docs/architecture.md).
#pragma once

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::cli {

// Makes what is missing, with the right modes: what clients and auditors may read is open, secrets,
// database and policy are not.
Result<void> MakeLayout(FileSystem& files);

}  // namespace skerry::cli
