// Whether a file is a well-formed GGUF file (github.com/ggml-org/ggml, docs/gguf.md), versions 2
// and 3.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/inspect/safetensors.h"

namespace skerry::inspect {

struct GgufSummary {
  std::string
      architecture;  // general.architecture; empty when absent (later parts of a split file)
  uint64_t tensors = 0;
  TensorElements elements;
  // What says which model it is and how large: general.name, general.license, block_count, ... (see
  // kKeptStrings and kKeptNumbers). Not arrays, and no string beyond 1 KiB.
  std::map<std::string, std::string> strings;
  std::map<std::string, uint64_t> numbers;  // without "ARCHITECTURE." in front
};

// kCorrupt, naming key or tensor, unless counts, lengths and types are sound and the tensors lie
// one after the other up to the end of the file.
Result<GgufSummary> CheckGguf(const File& file);

}  // namespace skerry::inspect
