// Names of full cache blocks: the same name means the same tokens after the same beginning, for the
// same tenant. SHA-256, so that nobody can make two beginnings collide and read what belongs to
// another.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "appliance/base/sha256.h"
#include "engine/device/ids.h"

namespace skerry::engine {

using BlockName = Sha256Digest;

// The name before the first block: whoever has another root never finds the block.
BlockName RootName(std::string_view tenant, std::string_view tenant_salt,
                   std::string_view request_salt);
// A root that nobody else has, for sequences that share nothing with others.
BlockName RootName(uint64_t number);

// The name of a block of `tokens` behind the block (or root) `parent`.
BlockName NextName(const BlockName& parent, std::span<const TokenId> tokens);

}  // namespace skerry::engine
