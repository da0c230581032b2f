// The commands `skerry-bundler bundle ...`.
#pragma once

#include <functional>

#include "appliance/base/result.h"

namespace CLI {
class App;
}

namespace skerry::build {

// Adds them to `app`; what the user chose is put into `run`, which must outlive `app`.
void AddBundleCommands(CLI::App& app, std::function<Result<void>()>& run);

}  // namespace skerry::build
