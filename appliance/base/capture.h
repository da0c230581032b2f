// What another program prints.
#pragma once

#include <string>
#include <vector>

#include "appliance/base/result.h"

namespace skerry {

// Runs argv (argv[0] is a path), waits until it ends and returns its standard output; standard
// error is dropped. kUnavailable when it ends otherwise than with status 0 or not within
// `timeout_ms`, kExhausted when it prints more than 1 MiB.
Result<std::string> CaptureOutput(const std::vector<std::string>& argv, int timeout_ms = 20'000);

}  // namespace skerry
