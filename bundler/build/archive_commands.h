// `skerry-bundler bundle sign|split|join`: command lines and what they do.
#pragma once

#include <functional>

#include "appliance/base/result.h"

namespace CLI {
class App;
}

namespace skerry::build {

void AddSign(CLI::App& bundle, std::function<Result<void>()>& run);
void AddSplit(CLI::App& bundle, std::function<Result<void>()>& run);
void AddJoin(CLI::App& bundle, std::function<Result<void>()>& run);

}  // namespace skerry::build
