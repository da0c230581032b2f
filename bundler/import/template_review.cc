#include "bundler/import/template_review.h"

#include <algorithm>

#include "appliance/base/sha256.h"
#include "bundler/format/layout.h"
#include "bundler/import/staging.h"

namespace skerry::import {

namespace {

using inspect::ChatTemplate;
using inspect::ModelFiles;

struct StoredRelease {
  std::string folder;
  format::Manifest manifest;
};

// The release in store/`name`; nullopt when it is none, or not what its name says.
std::optional<StoredRelease> ReadRelease(FileSystem& files, const std::string& name) {
  const std::string folder = std::string(kStoreDirectory) + "/" + name;
  const Result<std::string> text =
      ReadAll(files, folder + "/bundle/manifest", format::kMaxManifestBytes);
  if (!text || name != "sha256-" + Sha256::Of(std::string_view(*text)).Hex()) return std::nullopt;
  Result<format::Manifest> manifest = format::ParseManifest(*text);
  if (!manifest) return std::nullopt;
  return StoredRelease{folder, std::move(*manifest)};
}

Result<std::optional<StoredRelease>> FindNewest(FileSystem& files, const std::string& id,
                                                const std::string& but) {
  const std::vector<DirectoryEntry> entries = TRY(files.List(kStoreDirectory));
  std::optional<StoredRelease> newest;
  for (const DirectoryEntry& entry : entries) {
    if (entry.kind != FileKind::kDirectory || entry.name == but) continue;
    std::optional<StoredRelease> release = ReadRelease(files, entry.name);
    if (!release || release->manifest.id != id) continue;
    const bool newer = !newest || release->manifest.release_seq > newest->manifest.release_seq;
    if (newer) newest = std::move(release);
  }
  return newest;
}

Result<std::vector<ChatTemplate>> TemplatesOf(FileSystem& files, const StoredRelease& release) {
  ModelFiles model;
  for (const format::FileEntry& entry : release.manifest.files) model.names.push_back(entry.name);
  model.open = [&](const std::string& name) {
    return files.OpenRead(release.folder + "/files/" + name);
  };
  return inspect::ReadTemplates(model);
}

}  // namespace

Result<TemplateReview> ReviewTemplates(
    FileSystem& files, const std::string& digest, const format::Manifest& manifest,
    const std::function<Result<std::unique_ptr<File>>(size_t file_idx)>& open) {
  ModelFiles model;
  for (const format::FileEntry& entry : manifest.files) model.names.push_back(entry.name);
  model.open = [&](const std::string& name) -> Result<std::unique_ptr<File>> {
    // The manifest's files are sorted by name.
    const auto at = std::lower_bound(model.names.begin(), model.names.end(), name);
    return open(static_cast<size_t>(at - model.names.begin()));
  };
  const std::vector<ChatTemplate> now = TRY(inspect::ReadTemplates(model));
  TemplateReview review;
  std::vector<ChatTemplate> before;
  const std::optional<StoredRelease> previous = TRY(FindNewest(files, manifest.id, digest));
  if (previous) {
    Result<std::vector<ChatTemplate>> read = TemplatesOf(files, *previous);
    if (read) {
      before = std::move(*read);
      review.compared_with = previous->manifest.release_seq;
      review.diff = inspect::DescribeTemplateChanges(before, now);
    } else {
      review.warning = "the chat templates could not be compared with those of release " +
                       std::to_string(previous->manifest.release_seq) + " (" +
                       read.error().message() + "): look at them before you load the model";
    }
  }
  review.templates = inspect::CompareTemplates(before, now);
  return review;
}

}  // namespace skerry::import
