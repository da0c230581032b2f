#include "bundler/format/manifest.h"

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "bundler/format/layout.h"
#include "bundler/format/names.h"
#include "bundler/format/tree.h"

namespace skerry::format {

namespace {

constexpr int64_t kMaxInteger = (int64_t{1} << 53) - 1;
constexpr uint64_t kMaxRootVersion = 1'000'000;
constexpr Kind kKinds[] = {Kind::kModel, Kind::kSoftware, Kind::kImage};

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

Result<uint64_t> GetCount(const Json& object, std::string_view key, uint64_t low, uint64_t high) {
  const int64_t value = TRY(GetInt(object, key));
  if (value < 0 || static_cast<uint64_t>(value) < low || static_cast<uint64_t>(value) > high) {
    return Bad("field '" + std::string(key) + "' must be " + std::to_string(low) + " to " +
               std::to_string(high));
  }
  return static_cast<uint64_t>(value);
}

Result<Sha256Digest> GetDigest(const Json& object, std::string_view key) {
  const std::string hex = TRY(GetString(object, key));
  return Sha256Digest::FromHex(hex).WithContext("field '" + std::string(key) + "'");
}

Result<const Json*> GetArray(const Json& object, const char* key, size_t max_count) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array() || found->size() > max_count) {
    return Bad("field '" + std::string(key) + "' must be an array of at most " +
               std::to_string(max_count) + " entries");
  }
  return &*found;
}

Json ToJson(const std::vector<FileEntry>& entries) {
  Json array = Json::array();
  for (const FileEntry& entry : entries) {
    array.push_back({{"name", entry.name},
                     {"root", entry.root.Hex()},
                     {"sha256", entry.sha256.Hex()},
                     {"size", entry.size}});
  }
  return array;
}

Result<FileEntry> FileFromJson(const Json& json, uint64_t max_bytes) {
  TRY(RefuseUnknownKeys(json, {"name", "root", "sha256", "size"}));
  FileEntry entry;
  entry.name = TRY(GetString(json, "name"));
  entry.root = TRY(GetDigest(json, "root"));
  entry.sha256 = TRY(GetDigest(json, "sha256"));
  entry.size = TRY(GetCount(json, "size", 0, max_bytes));
  return entry;
}

Result<std::vector<FileEntry>> FilesFromJson(const Json& manifest, const char* key,
                                             size_t max_count, uint64_t max_bytes) {
  std::vector<FileEntry> entries;
  const Json* array = TRY(GetArray(manifest, key, max_count));
  for (const Json& json : *array) {
    const std::string place = std::string(key) + "[" + std::to_string(entries.size()) + "]";
    FileEntry entry = TRY(FileFromJson(json, max_bytes).WithContext(place));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::vector<RootEntry>> RootsFromJson(const Json& manifest) {
  std::vector<RootEntry> roots;
  const Json* array = TRY(GetArray(manifest, "roots", kMaxRoots));
  for (const Json& json : *array) {
    TRY(RefuseUnknownKeys(json, {"sha256", "size", "version"}).WithContext("roots"));
    RootEntry root;
    root.version = TRY(GetCount(json, "version", 1, kMaxRootVersion));
    root.size = TRY(GetCount(json, "size", 1, kMaxRootBytes));
    root.sha256 = TRY(GetDigest(json, "sha256"));
    roots.push_back(root);
  }
  return roots;
}

Result<Kind> KindFromName(std::string_view name) {
  for (const Kind kind : kKinds) {
    if (KindName(kind) == name) return kind;
  }
  return Bad("unknown kind " + Quote(name));
}

Result<void> CheckEntries(const std::vector<FileEntry>& entries) {
  std::vector<std::string_view> names;
  for (const FileEntry& entry : entries) names.push_back(entry.name);
  return CheckFileNames(names);
}

// What holds for every manifest, read or about to be written.
Result<void> CheckManifest(const Manifest& manifest) {
  TRY(CheckModelId(manifest.id));
  TRY(CheckVersion(manifest.version));
  if (manifest.release_seq < 1 || manifest.release_seq > static_cast<uint64_t>(kMaxInteger)) {
    return Error(ErrorCode::kInvalidArgument, "the release sequence must be 1 to 2^53 - 1");
  }
  if (manifest.expires) TRY(CheckDay(*manifest.expires).WithContext("field 'expires'"));
  if (manifest.files.empty()) return Bad("there are no files");
  if (manifest.files.size() > kMaxFiles || manifest.documents.size() > kMaxDocuments ||
      manifest.roots.size() > kMaxRoots) {
    return Error(ErrorCode::kExhausted, "a bundle has at most " + std::to_string(kMaxFiles) +
                                            " files, " + std::to_string(kMaxDocuments) +
                                            " documents and " + std::to_string(kMaxRoots) +
                                            " roots");
  }
  TRY(CheckEntries(manifest.files));
  TRY(CheckEntries(manifest.documents));
  uint64_t total = 0;
  for (const FileEntry& entry : manifest.files) {
    if (entry.size > kMaxDataBytes || (total += entry.size) > kMaxDataBytes) {
      return Error(ErrorCode::kExhausted, "the files are larger than 4 TiB together");
    }
  }
  for (const FileEntry& entry : manifest.documents) {
    if (entry.size > kMaxDocumentBytes) {
      return Error(ErrorCode::kExhausted,
                   "document " + Quote(entry.name) + " is larger than 4 MiB");
    }
  }
  for (size_t i = 1; i < manifest.roots.size(); ++i) {
    if (manifest.roots[i].version <= manifest.roots[i - 1].version) {
      return Bad("the versions of 'roots' must ascend");
    }
  }
  return {};
}

std::string Dump(const Manifest& manifest) {
  Json roots = Json::array();
  for (const RootEntry& root : manifest.roots) {
    roots.push_back(
        {{"sha256", root.sha256.Hex()}, {"size", root.size}, {"version", root.version}});
  }
  Json revocations;
  if (manifest.revocations) {
    revocations = {{"sha256", manifest.revocations->sha256.Hex()},
                   {"size", manifest.revocations->size}};
  }
  const Json json = {{"documents", ToJson(manifest.documents)},
                     {"expires", manifest.expires ? Json(*manifest.expires) : Json()},
                     {"files", ToJson(manifest.files)},
                     {"id", manifest.id},
                     {"kind", KindName(manifest.kind)},
                     {"release_seq", manifest.release_seq},
                     {"revocations", std::move(revocations)},
                     {"roots", std::move(roots)},
                     {"version", manifest.version}};
  return DumpJson(json);
}

Result<Manifest> FromJson(const Json& json) {
  TRY(RefuseUnknownKeys(json, {"documents", "expires", "files", "id", "kind", "release_seq",
                               "revocations", "roots", "version"}));
  Manifest manifest;
  const std::string kind = TRY(GetString(json, "kind"));
  manifest.kind = TRY(KindFromName(kind));
  manifest.id = TRY(GetString(json, "id"));
  manifest.version = TRY(GetString(json, "version"));
  manifest.release_seq = TRY(GetCount(json, "release_seq", 1, kMaxInteger));
  const auto expires = json.find("expires");
  if (expires == json.end()) return Bad("field 'expires' is missing");
  if (!expires->is_null()) manifest.expires = TRY(GetString(json, "expires"));
  manifest.files = TRY(FilesFromJson(json, "files", kMaxFiles, kMaxDataBytes));
  manifest.documents = TRY(FilesFromJson(json, "documents", kMaxDocuments, kMaxDocumentBytes));
  manifest.roots = TRY(RootsFromJson(json));
  const auto revocations = json.find("revocations");
  if (revocations == json.end()) return Bad("field 'revocations' is missing");
  if (!revocations->is_null()) {
    TRY(RefuseUnknownKeys(*revocations, {"sha256", "size"}).WithContext("revocations"));
    BlobEntry blob;
    blob.size = TRY(GetCount(*revocations, "size", 1, kMaxRevocationsBytes));
    blob.sha256 = TRY(GetDigest(*revocations, "sha256"));
    manifest.revocations = blob;
  }
  return manifest;
}

}  // namespace

std::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kModel:
      return "model";
    case Kind::kSoftware:
      return "software";
    case Kind::kImage:
      return "image";
  }
  return "?";
}

uint64_t Manifest::DataBytes() const {
  uint64_t total = 0;
  for (const FileEntry& entry : files) total += entry.size;
  return total;
}

Result<std::string> SerializeManifest(const Manifest& manifest) {
  TRY(CheckManifest(manifest));
  std::string text = Dump(manifest);
  if (text.size() > kMaxManifestBytes) {
    return Error(ErrorCode::kExhausted, "the manifest is larger than 1 MiB: too many files");
  }
  return text;
}

Result<Manifest> ParseManifest(std::string_view text) {
  const JsonLimits limits{.max_bytes = kMaxManifestBytes, .max_depth = 4, .allow_floats = false};
  const Json json = TRY(ParseJson(text, limits).WithContext("manifest"));
  Result<Manifest> manifest = FromJson(json);
  if (!manifest) {
    // A field of a file is never the caller's usage error.
    return Bad("manifest: " + manifest.error().message());
  }
  const Result<void> checked = CheckManifest(*manifest);
  if (!checked) {
    const ErrorCode code = checked.error().code() == ErrorCode::kUntrusted ? ErrorCode::kUntrusted
                                                                           : ErrorCode::kCorrupt;
    return Error(code, "manifest: " + checked.error().message());
  }
  if (Dump(*manifest) != text) {
    return Bad("manifest: its spelling is not canonical (white space, order of keys, escapes)");
  }
  return manifest;
}

Sha256Digest ModelDigest(const Manifest& manifest) {
  return Sha256::Of(DumpJson(ToJson(manifest.files)));
}

}  // namespace skerry::format
