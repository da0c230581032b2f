// Configuration files (TOML 1.0) as JSON documents, so that one set of typed, strict accessors
// serves both. Dates are refused.
#pragma once

#include <string>
#include <string_view>

#include "appliance/base/json.h"
#include "appliance/base/result.h"

namespace skerry {

// `name` is the file as errors should call it. kInvalidArgument with line and column on bad TOML.
Result<Json> ParseToml(std::string_view text, std::string_view name);

}  // namespace skerry
