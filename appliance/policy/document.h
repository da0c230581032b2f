// The published policy's text form (docs/formats/policy.md): bases, delta lines and file names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "appliance/policy/policy.h"

namespace skerry::policy {

inline constexpr size_t kMaxBaseBytes = 64 << 20;
inline constexpr size_t kMaxDeltaBytes = 64 << 20;
inline constexpr size_t kMaxDeltaLineBytes = 1 << 20;

std::string EncodeBase(const Policy& policy);
// kCorrupt, naming the field, for anything but a whole valid policy.
Result<Policy> ParseBase(std::string_view text);

struct Delta {
  uint64_t generation = 0;
  std::vector<Op> ops;
};

// One line without '\n'.
std::string EncodeDelta(const Delta& delta);
Result<Delta> ParseDelta(std::string_view line);  // kCorrupt

std::string BaseName(uint64_t generation);   // "base-00000000000000000001.json"
std::string DeltaName(uint64_t generation);  // "delta-00000000000000000001.ndjson"
// The generation in a base's file name; nullopt for any other name.
std::optional<uint64_t> GenerationOfBase(std::string_view name);
std::optional<uint64_t> GenerationOfDelta(std::string_view name);

}  // namespace skerry::policy
