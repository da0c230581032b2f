// What this machine has, as the kernel and its programs say it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::cli {

struct Gpu {
  std::string name;
  uint64_t memory_bytes = 0;
};

struct Cpu {
  std::string model;
  uint64_t cores = 0;              // that run threads at the same time
  std::vector<std::string> flags;  // those that matter for arithmetic, sorted
};

// From /proc/cpuinfo's text; empty model and no flags where it says neither.
Cpu ParseCpuInfo(std::string_view text);

// MemTotal of /proc/meminfo's text in bytes; kCorrupt when it is not there.
Result<uint64_t> ParseMemTotal(std::string_view text);

// What `nvidia-smi --query-gpu=name,memory.total --format=csv,noheader,nounits` prints: a line for
// each, memory in MiB. Lines of another form are left out.
std::vector<Gpu> ParseNvidiaSmi(std::string_view text);

struct Hardware {
  Cpu cpu;
  uint64_t memory_bytes = 0;
  std::vector<Gpu> gpus;
  std::string kernel;  // "Linux 6.1.0-18-amd64 x86_64"
};
// Of this machine. GPUs only where the driver's own program is installed.
Result<Hardware> ReadHardware();

}  // namespace skerry::cli
