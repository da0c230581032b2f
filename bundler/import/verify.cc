#include "bundler/import/verify.h"

#include <algorithm>

#include "bundler/format/names.h"

namespace skerry::import {

namespace {

// Keeps nothing; with `deep`, hashes each file from beginning to end.
class CheckingSink : public BundleSink {
 public:
  CheckingSink(const format::Manifest& manifest, bool deep) : manifest_(manifest), deep_(deep) {}

  Result<void> Document(size_t document_idx, std::span<const uint8_t> content) override {
    if (!deep_) return {};
    whole_.Update(content);
    return Compare("document", manifest_.documents[document_idx]);
  }
  Result<void> BeginFile(size_t) override { return {}; }
  Result<void> FileBytes(size_t, std::span<const uint8_t> bytes) override {
    if (deep_) whole_.Update(bytes);
    return {};
  }
  Result<void> EndFile(size_t file_idx) override {
    if (!deep_) return {};
    return Compare("file", manifest_.files[file_idx]);
  }

 private:
  Result<void> Compare(std::string_view what, const format::FileEntry& entry) {
    if (whole_.Finish() == entry.sha256) return {};
    return Error(ErrorCode::kCorrupt,
                 std::string(what) + " " + format::Quote(entry.name) +
                     ": the SHA-256 that the manifest records is not that of the file");
  }

  const format::Manifest& manifest_;
  const bool deep_;
  Sha256 whole_;
};

}  // namespace

Result<inspect::ModelFormat> InspectFiles(
    const VerifiedBundle& bundle,
    const std::function<Result<std::unique_ptr<File>>(size_t file_idx)>& open) {
  const format::Manifest& manifest = bundle.manifest();
  if (manifest.kind != format::Kind::kModel) {
    return Error(ErrorCode::kUntrusted, "the bundle is of kind '" +
                                            std::string(format::KindName(manifest.kind)) +
                                            "'; only models can be imported");
  }
  inspect::ModelFiles files;
  for (const format::FileEntry& entry : manifest.files) files.names.push_back(entry.name);
  files.open = [&](const std::string& name) -> Result<std::unique_ptr<File>> {
    // The manifest's names are sorted.
    const auto found = std::lower_bound(files.names.begin(), files.names.end(), name);
    return open(static_cast<size_t>(found - files.names.begin()));
  };
  return inspect::InspectModel(files);
}

Result<Verified> VerifyBundle(const File& file, const trust::TrustState& trust,
                              const VerifyOptions& options) {
  UnverifiedBundle unverified = TRY(UnverifiedBundle::Open(file));
  VerifiedBundle bundle = TRY(std::move(unverified).Verify(trust));
  CheckingSink sink(bundle.manifest(), options.deep);
  TRY(bundle.Read(sink, options.read));
  const inspect::ModelFormat model_format = TRY(InspectFiles(
      bundle, [&](size_t idx) -> Result<std::unique_ptr<File>> { return bundle.OpenFile(idx); }));
  return Verified{std::move(bundle), model_format};
}

}  // namespace skerry::import
