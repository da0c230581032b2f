#include "appliance/admin/store_models.h"

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "appliance/base/sha256.h"
#include "appliance/supervisor/protocol.h"
#include "bundler/format/manifest.h"

namespace skerry::admin {

namespace {

constexpr size_t kMaxManifestBytes = 1 << 20;
constexpr size_t kMaxImportBytes = 64 << 10;
constexpr std::string_view kPrefix = "sha256-";

Error Contradiction(const std::string& field) {
  return Error(ErrorCode::kCorrupt, "'import.json' and the manifest differ in '" + field + "'");
}

Result<store::ModelRow> Read(FileSystem& files, const std::string& digest) {
  const std::string folder = "store/" + digest;
  const std::string text = TRY(ReadAll(files, folder + "/bundle/manifest", kMaxManifestBytes));
  if (std::string(kPrefix) + Sha256::Of(text).Hex() != digest) {
    return Error(ErrorCode::kCorrupt, "the manifest's hash is not the folder's name");
  }
  const format::Manifest manifest = TRY(format::ParseManifest(text));
  if (manifest.kind != format::Kind::kModel) {
    return Error(ErrorCode::kCorrupt, "the manifest is not a model's");
  }
  const std::string import_text = TRY(ReadAll(files, folder + "/import.json", kMaxImportBytes));
  const Json json = TRY(ParseJson(import_text));
  const std::string import_digest = TRY(GetString(json, "digest"));
  const std::string id = TRY(GetString(json, "id"));
  const std::string version = TRY(GetString(json, "version"));
  const int64_t release_seq = TRY(GetInt(json, "release_seq"));
  store::ModelRow row;
  row.imported_at = TRY(GetString(json, "imported_at"));
  if (import_digest != digest) return Contradiction("digest");
  if (id != manifest.id) return Contradiction("id");
  if (version != manifest.version) return Contradiction("version");
  if (static_cast<uint64_t>(release_seq) != manifest.release_seq) {
    return Contradiction("release_seq");
  }
  row.digest = digest;
  row.id = id;
  row.version = version;
  row.release_seq = release_seq;
  row.size_bytes = static_cast<int64_t>(manifest.DataBytes());
  return row;
}

}  // namespace

Result<store::ModelRow> ReadStoredModel(FileSystem& files, const std::string& digest) {
  if (!supervisor::IsModelDigest(digest)) {
    return Error(ErrorCode::kInvalidArgument, "field 'digest' must be 'sha256-' and 64 hex digits");
  }
  if (!IsStored(files, digest)) {
    return Error(ErrorCode::kNotFound, "the store has no model '" + digest + "'");
  }
  Result<store::ModelRow> row = Read(files, digest);
  if (row) return row;
  const ErrorCode code =
      row.error().code() == ErrorCode::kIo ? ErrorCode::kIo : ErrorCode::kCorrupt;
  return Error(code, "stored model '" + digest + "': " + row.error().message() +
                         "; remove it with 'skerry models rm " + digest +
                         "' and import the bundle again");
}

Result<std::optional<std::vector<receipts::Template>>> TemplatesOfImport(const Json& import_json) {
  const auto list = import_json.find("templates");
  if (list == import_json.end()) return std::optional<std::vector<receipts::Template>>();
  if (!list->is_array()) {
    return Error(ErrorCode::kCorrupt, "field 'templates' must be an array");
  }
  std::vector<receipts::Template> templates;
  for (const Json& item : *list) {
    receipts::Template entry;
    entry.name = TRY(GetString(item, "name"));
    const std::string sha256 = TRY(GetString(item, "sha256"));
    entry.sha256 = TRY(Sha256Digest::FromHex(sha256));
    templates.push_back(std::move(entry));
  }
  return std::optional(std::move(templates));
}

std::optional<std::vector<receipts::Template>> ReadStoredTemplates(FileSystem& files,
                                                                   const std::string& digest) {
  const Result<std::string> text =
      ReadAll(files, "store/" + digest + "/import.json", kMaxImportBytes);
  if (!text) return std::nullopt;
  const Result<Json> json = ParseJson(*text);
  if (!json) return std::nullopt;
  Result<std::optional<std::vector<receipts::Template>>> templates = TemplatesOfImport(*json);
  return templates ? std::move(*templates) : std::nullopt;
}

Json TemplatesToJson(const std::vector<receipts::Template>& templates) {
  Json list = Json::array();
  for (const receipts::Template& item : templates) {
    list.push_back({{"name", item.name}, {"sha256", item.sha256.Hex()}});
  }
  return list;
}

Result<std::vector<std::string>> ListStoredModels(FileSystem& files) {
  const std::vector<DirectoryEntry> entries = TRY(files.List("store"));
  std::vector<std::string> digests;
  for (const DirectoryEntry& entry : entries) {
    if (entry.kind == FileKind::kDirectory && supervisor::IsModelDigest(entry.name)) {
      digests.push_back(entry.name);
    }
  }
  return digests;
}

bool IsStored(FileSystem& files, const std::string& digest) {
  const Result<FileKind> kind = files.Stat("store/" + digest);
  return kind && *kind == FileKind::kDirectory;
}

}  // namespace skerry::admin
