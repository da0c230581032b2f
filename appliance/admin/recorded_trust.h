// The trust as the audit journal was last told of it. Commands change trust/ while no service runs;
// what they changed is recorded by comparing with this, so that "before" is what was before.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/json.h"
#include "appliance/base/result.h"
#include "appliance/base/sha256.h"
#include "bundler/trust/trust_store.h"

namespace skerry::admin {

struct RecordedRoot {
  uint64_t version = 0;
  Sha256Digest fingerprint;
  bool operator==(const RecordedRoot&) const = default;
};

struct RecordedTrust {
  std::optional<RecordedRoot> root;  // none: no root was accepted yet
  uint64_t revocations = 0;          // sequence of the list; 0: none
  std::map<std::string, trust::Floor> floors;
  std::set<Sha256Digest> used_permits;
  bool operator==(const RecordedTrust&) const = default;
};

RecordedTrust ToRecorded(const trust::TrustState& state);

// JSON. ParseRecordedTrust is the inverse; kCorrupt naming the field.
std::string SerializeRecordedTrust(const RecordedTrust& trust);
Result<RecordedTrust> ParseRecordedTrust(std::string_view text);

// One record of the journal; `before` and `after` may be null.
struct TrustChange {
  std::string action;  // docs/formats/audit.md
  std::string target;
  Json before;
  Json after;
};
std::vector<TrustChange> TrustChanges(const RecordedTrust& before, const RecordedTrust& after);

}  // namespace skerry::admin
