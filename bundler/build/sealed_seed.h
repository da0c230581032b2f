// A key's seed encrypted under a passphrase, as docs/formats/bundle.md ("Key files") writes it.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>

#include "appliance/base/json.h"
#include "appliance/base/result.h"
#include "bundler/build/passphrase.h"

namespace skerry::build {

// The work that a guess of the passphrase costs (Argon2id).
struct KdfLimits {
  uint64_t operations;
  uint64_t memory_bytes;
};
// libsodium's MODERATE: 256 MiB, about a second.
KdfLimits DefaultKdfLimits();
// What a key file may ask for.
inline constexpr uint64_t kMaxKdfOperations = 16;
inline constexpr uint64_t kMaxKdfMemoryBytes = uint64_t{1} << 30;

// The value of "encrypted". kExhausted when the memory is not there.
Result<Json> SealSeed(std::span<const uint8_t, 32> seed, const SecretBytes& passphrase,
                      const KdfLimits& limits = DefaultKdfLimits());

// kDenied for a wrong passphrase, kCorrupt for a bad form or limits that are out of bounds.
Result<void> OpenSeed(const Json& sealed, const SecretBytes& passphrase,
                      std::span<uint8_t, 32> seed);

}  // namespace skerry::build
