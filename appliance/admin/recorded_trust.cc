#include "appliance/admin/recorded_trust.h"

namespace skerry::admin {

namespace {

// As trust/state.json: room for 100,000 ids and permits.
constexpr JsonLimits kLimits{.max_bytes = 32 << 20, .max_depth = 4, .allow_floats = false};

Error Bad(const std::string& field) {
  return Error(ErrorCode::kCorrupt, "the recorded trust: field '" + field + "' is damaged");
}

Json ToJson(const RecordedRoot& root) {
  return {{"fingerprint", root.fingerprint.Hex()}, {"version", root.version}};
}

Json ToJson(const trust::Floor& floor) {
  return {{"bundle", floor.digest.Hex()}, {"release_seq", floor.release_seq}};
}

Json OrNull(const std::optional<RecordedRoot>& root) { return root ? ToJson(*root) : Json(); }

Json OrNull(const std::map<std::string, trust::Floor>& floors, const std::string& id) {
  const auto floor = floors.find(id);
  return floor == floors.end() ? Json() : ToJson(floor->second);
}

Result<uint64_t> Count(const Json& json, const char* key) {
  const int64_t value = TRY(GetInt(json, key));
  if (value < 0) return Bad(key);
  return static_cast<uint64_t>(value);
}

Result<Sha256Digest> Digest(const Json& json, const char* key) {
  const std::string text = TRY(GetString(json, key));
  return Sha256Digest::FromHex(text);
}

Result<RecordedTrust> FromJson(const Json& json) {
  TRY(RefuseUnknownKeys(json, {"floors", "permits", "revocations", "root"}));
  RecordedTrust trust;
  trust.revocations = TRY(Count(json, "revocations"));
  const Json& root = json.value("root", Json());
  if (!root.is_null()) {
    RecordedRoot recorded;
    recorded.version = TRY(Count(root, "version"));
    recorded.fingerprint = TRY(Digest(root, "fingerprint"));
    trust.root = recorded;
  }
  const Json floors = json.value("floors", Json());
  if (!floors.is_object()) return Bad("floors");
  for (const auto& item : floors.items()) {
    trust::Floor floor;
    floor.release_seq = TRY(Count(item.value(), "release_seq"));
    floor.digest = TRY(Digest(item.value(), "bundle"));
    trust.floors.emplace(item.key(), floor);
  }
  const Json permits = json.value("permits", Json());
  if (!permits.is_array()) return Bad("permits");
  for (const Json& permit : permits) {
    if (!permit.is_string()) return Bad("permits");
    const Sha256Digest digest = TRY(Sha256Digest::FromHex(permit.get_ref<const std::string&>()));
    trust.used_permits.insert(digest);
  }
  return trust;
}

}  // namespace

RecordedTrust ToRecorded(const trust::TrustState& state) {
  const trust::SignedRoot& newest = state.roots.newest();
  RecordedTrust trust;
  trust.root = RecordedRoot{newest.root.version, newest.fingerprint};
  trust.revocations = state.revocations.sequence;
  trust.floors = state.floors;
  trust.used_permits = state.used_permits;
  return trust;
}

std::string SerializeRecordedTrust(const RecordedTrust& trust) {
  Json floors = Json::object();
  for (const auto& [id, floor] : trust.floors) floors[id] = ToJson(floor);
  Json permits = Json::array();
  for (const Sha256Digest& permit : trust.used_permits) permits.push_back(permit.Hex());
  return DumpJson({{"floors", std::move(floors)},
                   {"permits", std::move(permits)},
                   {"revocations", trust.revocations},
                   {"root", OrNull(trust.root)}});
}

Result<RecordedTrust> ParseRecordedTrust(std::string_view text) {
  const Json json = TRY(ParseJson(text, kLimits));
  if (!json.is_object()) return Error(ErrorCode::kCorrupt, "the recorded trust is no object");
  Result<RecordedTrust> trust = FromJson(json);
  if (trust) return trust;
  return Error(ErrorCode::kCorrupt, trust.error().message());
}

std::vector<TrustChange> TrustChanges(const RecordedTrust& before, const RecordedTrust& after) {
  std::vector<TrustChange> changes;
  if (before.root != after.root) {
    changes.push_back({"trust-root-changed", "root", OrNull(before.root), OrNull(after.root)});
  }
  if (before.revocations != after.revocations) {
    changes.push_back({"revocations-changed",
                       "revocations",
                       {{"sequence", before.revocations}},
                       {{"sequence", after.revocations}}});
  }
  for (const Sha256Digest& permit : after.used_permits) {
    if (before.used_permits.contains(permit)) continue;
    changes.push_back({"permit-used", permit.Hex(), nullptr, nullptr});
  }
  std::map<std::string, trust::Floor> all = before.floors;
  all.insert(after.floors.begin(), after.floors.end());
  for (const auto& [id, floor] : all) {
    Json old_floor = OrNull(before.floors, id), new_floor = OrNull(after.floors, id);
    if (old_floor == new_floor) continue;
    changes.push_back({"floor-changed", id, std::move(old_floor), std::move(new_floor)});
  }
  return changes;
}

}  // namespace skerry::admin
