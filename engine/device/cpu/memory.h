// How much memory this process may still take, by the machine and by its control groups.
#pragma once

#include <string>

#include "engine/device/device.h"

namespace skerry::engine {

// The least of MemAvailable and what is left in each control group (v2, or v1's memory controller)
// above this process, page cache counted as free in both. `root` stands before /proc and
// /sys/fs/cgroup. Without /proc/meminfo both numbers are 0.
DeviceMemory ReadCpuMemory(const std::string& root = "");

}  // namespace skerry::engine
