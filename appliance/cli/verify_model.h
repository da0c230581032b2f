// Re-hashing a model in the store: whether its files still are what was signed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::cli {

// A file that is not what the manifest says, or a stretch of one.
struct Damage {
  std::string file;
  std::string what;
  // Chunks of 4 MiB, from 0. `exact`: each of them is damaged. Otherwise the damage is somewhere
  // among them: the store of an earlier version has no leaf hashes.
  uint64_t first_chunk = 0;
  uint64_t last_chunk = 0;
  bool exact = false;
};

// A file with more damaged stretches than this has the rest of them in one that is not exact.
inline constexpr size_t kMaxStretches = 16;

struct ModelReport {
  std::string digest;  // "sha256-HEX"
  std::string id;
  std::string version;
  uint64_t size_bytes = 0;
  std::vector<Damage> damage;  // empty: the model is whole
};

struct ModelCheck {
  unsigned threads = 0;  // 0: one per core
  std::function<void(uint64_t done_bytes, uint64_t total_bytes)>
      progress;  // any thread, one a time
};

// Reads every byte of store/`digest` of the data directory `files`; memory is threads x 4 MiB and
// the leaf hashes. A file that is damaged, cannot be read, is missing or is there without being in
// the manifest is in the report. kNotFound when the store has no such model, kCorrupt when its
// manifest does not hash to the folder's name.
Result<ModelReport> VerifyStoredModel(FileSystem& files, const std::string& digest,
                                      const ModelCheck& check = {});

}  // namespace skerry::cli
