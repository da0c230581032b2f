// trust init|rotate|revoke|permit|sign.
#pragma once

#include <functional>

#include "appliance/base/result.h"

namespace CLI {
class App;
}

namespace skerry::build {

void AddTrustCommands(CLI::App& app, std::function<Result<void>()>& run);

}  // namespace skerry::build
