// Whether a machine can take and run a model, as far as both can be described without it: the
// engine's capabilities (`skerry-engine capabilities`) and a hardware profile (`skerry doctor
// --profile`). An estimate; the appliance decides when it imports and loads.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "bundler/format/manifest.h"
#include "bundler/inspect/facts.h"

namespace skerry::inspect {

struct EngineSupport {
  std::string version;
  std::map<std::string, std::vector<std::string>> architectures;  // by ModelFormatName
  std::map<std::string, std::vector<std::string>> tokenizers;     // by ModelFormatName
  std::vector<std::string> tensor_types;
  bool split_gguf = false;
  uint64_t kv_bytes_per_element = 0;
};
// kCorrupt or kInvalidArgument naming the field.
Result<EngineSupport> ParseEngineSupport(std::string_view text);

// Why that engine cannot load the model, one reason each; empty: nothing is known against it.
std::vector<std::string> WhyNotLoadable(const ModelFacts& facts, const EngineSupport& engine);

struct BoxProfile {
  uint64_t memory_bytes = 0;
  uint64_t store_free_bytes = 0;
  uint64_t reserved_bytes = 0;  // that an import leaves alone
  std::vector<uint64_t> gpu_memory_bytes;
  EngineSupport engine;
};
Result<BoxProfile> ParseBoxProfile(std::string_view text);

// Space that importing takes: every file in blocks of 4096 bytes, and what lies beside them.
uint64_t ImportBytes(const format::Manifest& manifest);

struct Fit {
  uint64_t import_bytes = 0;
  uint64_t weight_bytes = 0;
  uint64_t context_tokens = 0;        // of one request, that kv_bytes is for
  uint64_t kv_bytes = 0;              // 0: the geometry is unknown
  uint64_t memory_bytes = 0;          // weights, keys and values, and what a process needs besides
  std::vector<std::string> problems;  // empty: it should fit
};
Fit CheckFit(const ModelFacts& facts, uint64_t import_bytes, const BoxProfile& box);

}  // namespace skerry::inspect
