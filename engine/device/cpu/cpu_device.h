// The CPU as a Device: the reference implementation of every op.
#pragma once

#include <memory>
#include <optional>

#include "appliance/base/result.h"
#include "engine/device/cpu/kernels.h"
#include "engine/device/device.h"

namespace skerry::engine {

struct CpuOptions {
  int threads = 0;            // workers including the caller; 0: one for each usable processor
  std::optional<CpuIsa> isa;  // none: the best this processor has
};

// kInvalidArgument for an instruction set this processor lacks, kExhausted when threads are short.
Result<std::unique_ptr<Device>> CreateCpuDevice(const CpuOptions& options);

}  // namespace skerry::engine
