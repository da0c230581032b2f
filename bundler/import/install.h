// Puts a verified model into the store of a data directory, so that after a power cut at any
// instant it is there whole or not at all. What was copied before an import was interrupted is kept
// below staging and continued.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/clock.h"
#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/import/copy.h"
#include "bundler/import/staging.h"
#include "bundler/import/template_review.h"
#include "bundler/trust/trust_store.h"

namespace skerry::import {

// Left free by an import, for the audit journal and the database.
inline constexpr uint64_t kReservedBytes = 64 << 20;

// An open bundle or volume; `name` is for messages.
struct Medium {
  std::string name;
  std::unique_ptr<File> file;
};

// Volumes that have chunks which are nowhere yet.
struct VolumesNeeded {
  uint64_t of = 0;                // how many the bundle has
  std::vector<uint64_t> numbers;  // ascending
  std::string refused;            // why the medium given last is not used; empty: it was
};

struct ImportProgress {
  uint64_t done_bytes = 0;
  uint64_t total_bytes = 0;
  uint64_t resumed_bytes = 0;  // of those done, copied by an earlier try
};

struct ImportResult {
  std::string digest;  // "sha256-HEX": the folder's name in the store
  std::string id;
  std::string version;
  uint64_t release_seq = 0;
  std::optional<std::string> expires;  // the manifest's
  bool already_present = false;
  TemplateReview templates;
  std::vector<std::string> warnings;  // for the operator; nothing was refused because of them
};

struct ImportOptions {
  CopyOptions copy;  // without `progress`
  // Called by the calling thread, except when the bundle is present already.
  std::function<void(const ImportProgress&)> progress;
  // Asked when everything given was copied and volumes are missing; none ends the import with
  // kNotFound. Empty: as if it gave none.
  std::function<Result<std::vector<Medium>>(const VolumesNeeded&)> more;
  std::optional<std::string> permit_text;  // a rollback permit
  const Clock* clock = &RealClock();
  uint64_t reserved_bytes = kReservedBytes;
  std::string place = ".";  // the data directory, for messages
};

// Imports `media` (a bundle, or volumes of one in any order) into the data directory `files`, where
// MakeStaging was called. A bundle that is present already is read and checked all the same. On any
// error the store is as before; the message says whether something was kept to go on from. Refused
// content and an import that copied nothing leave nothing. kUnavailable when the same bundle is
// being imported; kExhausted, before anything is written, when the disk has too little space;
// kUntrusted and kCorrupt for what is wrong with the bundle, naming the medium.
Result<ImportResult> ImportBundle(FileSystem& files, StagingLocks& locks, std::vector<Medium> media,
                                  const trust::TrustState& trust,
                                  const ImportOptions& options = {});

}  // namespace skerry::import
