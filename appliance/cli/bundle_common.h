// What the commands about bundles share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "appliance/base/json.h"
#include "appliance/base/result.h"
#include "appliance/cli/command.h"
#include "bundler/format/volume.h"
#include "bundler/trust/trust_store.h"

namespace skerry::cli {

// Of the root file `path`, or of the data directory when that is empty.
Result<trust::TrustState> ReadTrust(const Context& context, const std::string& path);

Json KeyIdList(const std::vector<trust::KeyId>& ids);
Json OrNull(const std::optional<std::string>& text);
Json VolumeNumber(const std::optional<format::Volume>& volume);  // null: the whole bundle

}  // namespace skerry::cli
