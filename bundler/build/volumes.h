// How a bundle is cut into volumes: sizes, names, how many chunks fit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "bundler/format/chunk_map.h"
#include "bundler/format/manifest.h"
#include "bundler/format/volume.h"

namespace skerry::build {

// "fat32" (4294967295, the largest file), "dvd" (4690000000, a little less than a single-layer disc
// holds), "bd25" (25000000000), or a number of bytes, also as "4GB", "700MB", "512KB" (powers of
// 1000). kInvalidArgument otherwise.
Result<uint64_t> ParseVolumeSize(std::string_view text);

// "x.skb", 3 of 12 -> "x.03-of-12.skb". A name without ".skb" gets it.
std::string VolumeName(const std::string& bundle, uint64_t number, uint64_t count);

// Length of a whole archive or of one volume; `manifest_bytes`: of the manifest's text.
uint64_t ArchiveBytes(const format::Manifest& manifest, uint64_t manifest_bytes,
                      const format::ChunkMap& map, const std::optional<format::Volume>& volume);

// The most chunks for each volume so that none is longer than `max_bytes`; 0: the whole bundle is
// no longer than that. kInvalidArgument naming the smallest possible size.
Result<uint64_t> ChooseChunks(const format::Manifest& manifest, uint64_t manifest_bytes,
                              const format::ChunkMap& map, uint64_t max_bytes);

}  // namespace skerry::build
