#include "appliance/receipts/receipt.h"

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"

namespace skerry::receipts {

namespace {

constexpr size_t kMaxTextBytes = 255;
constexpr char kClock[] = "the appliance's own, compared with no other";

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

Json ToJson(const std::optional<Sha256Digest>& digest) {
  return digest ? Json(digest->Hex()) : Json();
}

Json ToJson(const std::optional<FloorFact>& floor) {
  if (!floor) return Json();
  return {{"digest", floor->digest.Hex()}, {"release_seq", floor->release_seq}};
}

Json ToJson(const std::vector<trust::KeyId>& ids) {
  Json array = Json::array();
  for (const trust::KeyId& id : ids) array.push_back(id.Hex());
  return array;
}

Json ToJson(const std::vector<format::FileEntry>& entries) {
  Json array = Json::array();
  for (const format::FileEntry& entry : entries) {
    array.push_back({{"name", PlainText(entry.name)},
                     {"root", entry.root.Hex()},
                     {"sha256", entry.sha256.Hex()},
                     {"size", entry.size}});
  }
  return array;
}

Json ToJson(const std::vector<Template>& templates) {
  Json array = Json::array();
  for (const Template& item : templates) {
    array.push_back({{"name", PlainText(item.name)}, {"sha256", item.sha256.Hex()}});
  }
  return array;
}

Result<const Json*> Field(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return Bad("field '" + std::string(key) + "' is missing");
  return &*found;
}

Result<uint64_t> GetCount(const Json& object, const char* key) {
  const int64_t value = TRY(GetInt(object, key));
  if (value < 0) return Bad("field '" + std::string(key) + "' must not be negative");
  return static_cast<uint64_t>(value);
}

Result<Sha256Digest> GetDigest(const Json& object, const char* key) {
  const std::string hex = TRY(GetString(object, key));
  return Sha256Digest::FromHex(hex).WithContext("field '" + std::string(key) + "'");
}

Result<std::optional<Sha256Digest>> GetOptionalDigest(const Json& object, const char* key) {
  const Json* field = TRY(Field(object, key));
  if (field->is_null()) return std::optional<Sha256Digest>();
  const Sha256Digest digest = TRY(GetDigest(object, key));
  return std::optional<Sha256Digest>(digest);
}

Result<std::optional<FloorFact>> GetFloor(const Json& object, const char* key) {
  const Json* field = TRY(Field(object, key));
  if (field->is_null()) return std::optional<FloorFact>();
  TRY(RefuseUnknownKeys(*field, {"digest", "release_seq"}).WithContext(key));
  FloorFact floor;
  floor.digest = TRY(GetDigest(*field, "digest"));
  floor.release_seq = TRY(GetCount(*field, "release_seq"));
  return std::optional<FloorFact>(floor);
}

Result<const Json*> GetArray(const Json& object, const char* key) {
  const Json* field = TRY(Field(object, key));
  if (!field->is_array()) return Bad("field '" + std::string(key) + "' must be an array");
  return field;
}

Result<std::vector<trust::KeyId>> GetKeys(const Json& object, const char* key) {
  const Json* array = TRY(GetArray(object, key));
  std::vector<trust::KeyId> keys;
  for (const Json& item : *array) {
    if (!item.is_string()) return Bad("field '" + std::string(key) + "' must hold key ids");
    const trust::KeyId id = TRY(Sha256Digest::FromHex(item.get_ref<const std::string&>()));
    keys.push_back(id);
  }
  return keys;
}

Result<std::vector<format::FileEntry>> GetFiles(const Json& object, const char* key) {
  const Json* array = TRY(GetArray(object, key));
  std::vector<format::FileEntry> entries;
  for (const Json& item : *array) {
    TRY(RefuseUnknownKeys(item, {"name", "root", "sha256", "size"}).WithContext(key));
    format::FileEntry entry;
    entry.name = TRY(GetString(item, "name"));
    entry.root = TRY(GetDigest(item, "root"));
    entry.sha256 = TRY(GetDigest(item, "sha256"));
    entry.size = TRY(GetCount(item, "size"));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::vector<Template>> GetTemplates(const Json& object) {
  const Json* array = TRY(GetArray(object, "templates"));
  std::vector<Template> templates;
  for (const Json& item : *array) {
    TRY(RefuseUnknownKeys(item, {"name", "sha256"}).WithContext("templates"));
    Template entry;
    entry.name = TRY(GetString(item, "name"));
    entry.sha256 = TRY(GetDigest(item, "sha256"));
    templates.push_back(std::move(entry));
  }
  return templates;
}

Result<void> ReadTrust(const Json& json, Receipt& receipt) {
  receipt.signers = TRY(GetKeys(json, "signers"));
  receipt.release_keys = TRY(GetKeys(json, "release_keys"));
  receipt.release_threshold = TRY(GetCount(json, "release_threshold"));
  const Json* root = TRY(Field(json, "root"));
  TRY(RefuseUnknownKeys(*root, {"fingerprint", "version"}).WithContext("root"));
  receipt.root_fingerprint = TRY(GetOptionalDigest(*root, "fingerprint"));
  receipt.root_version = TRY(GetCount(*root, "version"));
  receipt.revocations = TRY(GetCount(json, "revocations"));
  receipt.floor_before = TRY(GetFloor(json, "floor_before"));
  receipt.floor_after = TRY(GetFloor(json, "floor_after"));
  receipt.permit = TRY(GetOptionalDigest(json, "permit"));
  return {};
}

Result<Receipt> FromJson(const Json& json) {
  if (!json.is_object()) return Bad("the payload must be a JSON object");
  Receipt receipt;
  receipt.counter = TRY(GetCount(json, "counter"));
  receipt.previous = TRY(GetOptionalDigest(json, "previous"));
  receipt.appliance_key = TRY(GetDigest(json, "appliance_key"));
  receipt.bundle = TRY(GetDigest(json, "bundle"));
  receipt.model = TRY(GetDigest(json, "model"));
  receipt.id = TRY(GetString(json, "id"));
  receipt.version = TRY(GetString(json, "version"));
  receipt.release_seq = TRY(GetCount(json, "release_seq"));
  receipt.model_format = TRY(GetString(json, "model_format"));
  receipt.files = TRY(GetFiles(json, "files"));
  receipt.documents = TRY(GetFiles(json, "documents"));
  TRY(ReadTrust(json, receipt));
  receipt.templates = TRY(GetTemplates(json));
  receipt.imported_at = TRY(GetString(json, "imported_at"));
  receipt.software = TRY(GetString(json, "software"));
  return receipt;
}

}  // namespace

std::string PlainText(std::string_view text) {
  std::string plain;
  for (const char c : text.substr(0, kMaxTextBytes)) {
    const bool ok = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
    plain.push_back(ok ? c : '?');
  }
  return plain;
}

std::string SerializeReceipt(const Receipt& receipt) {
  const Json json = {
      {"appliance_key", receipt.appliance_key.Hex()},
      {"bundle", receipt.bundle.Hex()},
      {"clock", kClock},
      {"counter", receipt.counter},
      {"documents", ToJson(receipt.documents)},
      {"files", ToJson(receipt.files)},
      {"floor_after", ToJson(receipt.floor_after)},
      {"floor_before", ToJson(receipt.floor_before)},
      {"id", PlainText(receipt.id)},
      {"imported_at", PlainText(receipt.imported_at)},
      {"model", receipt.model.Hex()},
      {"model_format", PlainText(receipt.model_format)},
      {"permit", ToJson(receipt.permit)},
      {"previous", ToJson(receipt.previous)},
      {"release_keys", ToJson(receipt.release_keys)},
      {"release_seq", receipt.release_seq},
      {"release_threshold", receipt.release_threshold},
      {"revocations", receipt.revocations},
      {"root",
       {{"fingerprint", ToJson(receipt.root_fingerprint)}, {"version", receipt.root_version}}},
      {"signers", ToJson(receipt.signers)},
      {"software", PlainText(receipt.software)},
      {"templates", ToJson(receipt.templates)},
      {"version", PlainText(receipt.version)}};
  return DumpJson(json);
}

Result<Receipt> ParseReceipt(std::string_view payload) {
  const JsonLimits limits{.max_bytes = kMaxReceiptBytes, .max_depth = 4, .allow_floats = false};
  const Json json = TRY(ParseJson(payload, limits));
  Result<Receipt> receipt = FromJson(json);
  if (!receipt) return Bad(receipt.error().message());
  // Also finds fields too many.
  if (SerializeReceipt(*receipt) != payload) return Bad("the payload is not in canonical spelling");
  return receipt;
}

SignedReceipt SignReceipt(const Identity& identity, Receipt receipt) {
  receipt.appliance_key = identity.public_key().Id();
  trust::Envelope envelope;
  envelope.type = kReceiptType;
  envelope.payload = SerializeReceipt(receipt);
  envelope.signatures.push_back(identity.Sign(kReceiptType, envelope.payload));
  const Sha256Digest digest = Sha256::Of(std::string_view(envelope.payload));
  return {std::move(receipt), digest, trust::SerializeEnvelope(std::move(envelope))};
}

Result<SignedReceipt> VerifyReceipt(std::string_view text, const trust::PublicKey& key) {
  const trust::Envelope envelope = TRY(trust::ParseEnvelope(text, kReceiptType, kMaxReceiptBytes));
  if (envelope.signatures.size() != 1 || envelope.signatures[0].key_id != key.Id()) {
    return Error(ErrorCode::kUntrusted, "it is not signed by this appliance's key (key id " +
                                            trust::Grouped(key.Id()) + ")");
  }
  if (!trust::Verify(key, envelope.signatures[0], kReceiptType, envelope.payload)) {
    return Error(ErrorCode::kUntrusted, "its signature does not hold: it was changed");
  }
  SignedReceipt signed_receipt;
  signed_receipt.receipt = TRY(ParseReceipt(envelope.payload));
  if (signed_receipt.receipt.appliance_key != key.Id()) {
    return Bad("field 'appliance_key' is another key's");
  }
  signed_receipt.digest = Sha256::Of(std::string_view(envelope.payload));
  signed_receipt.text = text;
  return signed_receipt;
}

}  // namespace skerry::receipts
