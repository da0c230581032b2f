// Puts a verified model into the store of a data directory, so that after a power cut at any
// instant it is there whole or not at all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "appliance/base/clock.h"
#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/reader/bundle.h"

namespace skerry::import {

// Left free by an import, for the audit journal and the database.
inline constexpr uint64_t kReservedBytes = 64 << 20;

struct ImportResult {
  std::string digest;  // "sha256-HEX": the folder's name in the store
  std::string id;
  std::string version;
  uint64_t release_seq = 0;
  std::optional<std::string> expires;  // as in the manifest
  bool already_present = false;
};

struct ImportOptions {
  reader::ReadOptions read;
  const Clock* clock = &RealClock();
  uint64_t reserved_bytes = kReservedBytes;
};

// Imports `bundle` into the data directory `files` by way of its folder `staging` ("staging/NAME"),
// which exists, is empty and belongs to this call alone; it is gone afterwards. A bundle that is
// present already is read and checked all the same. On any error the store is as before.
// kExhausted, before anything is written, when the disk has too little space.
Result<ImportResult> ImportBundle(FileSystem& files, const std::string& staging, const File& bundle,
                                  const trust::TrustState& trust,
                                  const ImportOptions& options = {});

}  // namespace skerry::import
