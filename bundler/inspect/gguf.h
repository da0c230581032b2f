// Whether a file is a well-formed GGUF file (github.com/ggml-org/ggml, docs/gguf.md), versions 2
// and 3.
#pragma once

#include <cstdint>
#include <string>

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::inspect {

struct GgufSummary {
  std::string
      architecture;  // general.architecture; empty when absent (later parts of a split file)
  uint64_t tensors = 0;
};

// kCorrupt, naming key or tensor, unless counts, lengths and types are sound and the tensors lie
// one after the other up to the end of the file.
Result<GgufSummary> CheckGguf(const File& file);

}  // namespace skerry::inspect
