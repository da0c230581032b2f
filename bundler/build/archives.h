// Cutting a bundle into volumes and putting it together again. Needs no key: the chunks are the
// same signed ones, and each is compared with its hash while it is copied.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/reader/bundle.h"
#include "bundler/reader/verify.h"
#include "bundler/trust/trust_store.h"

namespace skerry::build {

// The bundle's own first root as what is trusted: whoever only cuts or joins has no say in whom to
// trust, and an appliance asks its own root anyway. kNotFound when no root travels along.
Result<trust::TrustState> OwnTrust(const File& bundle);

struct CopyOptions {
  bool overwrite = false;
  unsigned threads = 0;  // 0: one per core
  std::function<void(uint64_t done_bytes, uint64_t total_bytes)> progress;
};

// Writes the volumes of `bundle`, named after `name` ("x.skb"), into `output`; none is longer than
// `max_volume_bytes`. Returns their names in order. kInvalidArgument when it is a volume itself, is
// no longer than that, or cannot be cut so small; kCorrupt, kUntrusted as the reader.
Result<std::vector<std::string>> SplitBundle(const File& bundle, const trust::TrustState& trust,
                                             uint64_t max_volume_bytes, FileSystem& output,
                                             const std::string& name,
                                             const CopyOptions& options = {});

// Writes the whole bundle that `volumes` (in any order) are of, byte for byte what was split. When
// their signatures differ, it has all of them. kNotFound naming the missing ones by number.
Result<void> JoinVolumes(std::span<const reader::NamedFile> volumes, const trust::TrustState& trust,
                         FileSystem& output, const std::string& path,
                         const CopyOptions& options = {});

}  // namespace skerry::build
