// What the appliance trusts, kept by the service that owns the database: takes over what imports
// left in the store, writes their receipts, and knows which models may still be used.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "appliance/admin/core.h"
#include "appliance/base/result.h"
#include "bundler/trust/floor.h"
#include "bundler/trust/trust_store.h"

namespace skerry::admin {

struct RecordedTrust;

// Thread-safe.
class TrustKeeper {
 public:
  // `software` is the version that receipts name.
  TrustKeeper(Core& core, std::string software) : core_(core), software_(std::move(software)) {}

  // Reads trust/ anew (a command may have changed it) and takes over what lies in the store: roots,
  // lists and permits that came with models, floors, receipts that are not written yet. Whatever
  // differs from what the journal was told last is recorded, whoever changed it and when; doing it
  // again changes nothing more, so whatever a power cut left out is made up for at the next start.
  // Without a trust root there is nothing to do.
  // Errors of the files below trust/ and receipts/, and kUnavailable when a change cannot be
  // recorded.
  Result<void> Refresh();

  struct Summary {
    uint64_t root_version = 0;  // 0: no root was accepted yet
    uint64_t revocations = 0;   // sequence of the list in force; 0: none
    size_t floors = 0;
  };
  Summary Summarize() const;

  // Whether the stored model `digest` ("sha256-HEX") may be used, as of the last Refresh. A record
  // that was read once counts until it can be read anew; one that never could is kUnreadable.
  trust::Standing StandingOf(const std::string& digest);

 private:
  // What the journal was told last.
  Result<RecordedTrust> LoadRecorded();
  Result<void> SaveRecorded(const RecordedTrust& before, const RecordedTrust& after);
  Result<void> WriteReceipts(const RecordedTrust& before, const trust::TrustState& after);

  Core& core_;
  const std::string software_;
  mutable std::mutex mu_;
  std::optional<trust::TrustState> state_;             // guarded by mu_; none: no root
  std::map<std::string, trust::ImportedFacts> facts_;  // by digest, as last read; guarded by mu_
};

}  // namespace skerry::admin
