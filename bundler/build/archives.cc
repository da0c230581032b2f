#include "bundler/build/archives.h"

#include <algorithm>
#include <map>

#include "appliance/base/encode.h"
#include "bundler/build/new_files.h"
#include "bundler/build/volumes.h"
#include "bundler/format/archive_writer.h"
#include "bundler/format/chunks.h"
#include "bundler/format/layout.h"
#include "bundler/format/tar.h"
#include "bundler/trust/signatures.h"

namespace skerry::build {

namespace {

using reader::BundleContents;
using reader::SignableBundle;
using reader::UnverifiedBundle;

// Copies chunks of one bundle out of the archives that have them.
class Copier {
 public:
  // `parts`: at least one, of the same bundle; they must outlive this object.
  Copier(std::vector<const BundleContents*> parts, std::string signatures_text,
         const CopyOptions& options)
      : parts_(std::move(parts)), options_(options) {
    head_.manifest_text = any().manifest_text();
    head_.signatures_text = std::move(signatures_text);
    head_.roots = any().roots();
    head_.revocations_text = any().revocations_text();
  }

  Result<void> ReadHashes() {
    hashes_ = TRY(any().ReadHashes());
    return {};
  }

  Result<void> Write(File& output, const std::optional<format::Volume>& volume) {
    format::ArchiveWriter archive(output, any().map(), volume);
    TRY(archive.Head(head_));
    for (size_t i = 0; i < any().manifest().files.size(); ++i) {
      TRY(archive.Tree(hashes_.OfFile(i)));
    }
    TRY(any().ReadDocuments(
        [&](size_t, std::span<const uint8_t> content) { return archive.Document(content); }));
    TRY(WriteChunks(archive));
    TRY(archive.Finish());
    return output.Sync();
  }

 private:
  const BundleContents& any() const { return *parts_.front(); }

  Result<const BundleContents*> PartOf(uint64_t chunk) const {
    for (const BundleContents* part : parts_) {
      if (part->chunks().Contains(chunk)) return part;
    }
    return Error(ErrorCode::kInternal, "no part has chunk " + std::to_string(chunk));
  }

  Result<void> WriteChunks(format::ArchiveWriter& archive) {
    const format::ChunkRange range = archive.layout().chunks();
    format::ChunkWork work;
    work.count = range.count();
    work.buffer_bytes = any().map().LargestBytes();
    work.threads = options_.threads;
    work.produce = [&](uint64_t idx, std::span<uint8_t> buffer) -> Result<size_t> {
      const BundleContents* part = TRY(PartOf(range.first + idx));
      return part->ReadChunk(range.first + idx, hashes_, buffer);
    };
    work.consume = [&](uint64_t idx, std::span<const uint8_t> bytes) -> Result<void> {
      done_bytes_ += bytes.size();
      if (options_.progress) options_.progress(done_bytes_, any().manifest().DataBytes());
      return archive.Chunk(range.first + idx, bytes);
    };
    return format::RunChunks(work);
  }

  const std::vector<const BundleContents*> parts_;
  const CopyOptions& options_;
  format::ArchiveHead head_;
  reader::ChunkHashes hashes_;
  uint64_t done_bytes_ = 0;
};

Result<SignableBundle> OpenPart(const File& file, const trust::TrustState& trust) {
  UnverifiedBundle unverified = TRY(UnverifiedBundle::Open(file));
  return std::move(unverified).VerifyForSigning(trust);
}

Result<std::vector<trust::Signature>> SignaturesOf(const BundleContents& part) {
  const std::string_view text = TRY(format::UnpadSignatures(part.signatures_text()));
  return trust::ParseSignatures(text, format::kSignaturesBytes);
}

// What all volumes have signed together: a signer may have had some of them only.
Result<std::string> AllSignatures(const std::map<uint64_t, SignableBundle>& parts) {
  const std::string& first = parts.begin()->second.signatures_text();
  if (std::all_of(parts.begin(), parts.end(),
                  [&](const auto& part) { return part.second.signatures_text() == first; })) {
    return first;
  }
  std::vector<trust::Signature> all;
  for (const auto& [number, part] : parts) {
    const std::vector<trust::Signature> signatures = TRY(SignaturesOf(part));
    for (const trust::Signature& signature : signatures) {
      const bool known = std::any_of(all.begin(), all.end(), [&](const trust::Signature& other) {
        return other.key_id == signature.key_id && other.bytes == signature.bytes;
      });
      if (!known) all.push_back(signature);
    }
  }
  std::string text = trust::SerializeSignatures(std::move(all));
  if (text.size() > format::kSignaturesBytes) {
    return Error(ErrorCode::kExhausted, "the volumes have more signatures than a bundle can hold");
  }
  return text;
}

// By number; all there are.
Result<std::map<uint64_t, SignableBundle>> OpenVolumes(std::span<const reader::NamedFile> volumes,
                                                       const trust::TrustState& trust) {
  std::map<uint64_t, SignableBundle> parts;
  for (const reader::NamedFile& volume : volumes) {
    const std::string context = "'" + volume.name + "'";
    SignableBundle part = TRY(OpenPart(*volume.file, trust).WithContext(context));
    if (!part.volume()) {
      return Error(ErrorCode::kInvalidArgument, context + " is a whole bundle, not a volume");
    }
    if (!parts.empty()) {
      const SignableBundle& first = parts.begin()->second;
      if (part.digest() != first.digest() || part.volume()->chunks != first.volume()->chunks) {
        return Error(ErrorCode::kInvalidArgument,
                     context + " is a volume of another bundle or of another split than '" +
                         volumes.front().name + "'");
      }
    }
    const uint64_t number = part.volume()->number;
    if (!parts.emplace(number, std::move(part)).second) {
      return Error(ErrorCode::kInvalidArgument,
                   context + " is volume " + std::to_string(number) + ", which is given twice");
    }
  }
  const uint64_t count = parts.begin()->second.volume_count();
  std::string missing;
  for (uint64_t number = 1; number <= count; ++number) {
    if (parts.contains(number)) continue;
    missing += (missing.empty() ? "" : ", ") + std::to_string(number);
  }
  if (missing.empty()) return parts;
  return Error(ErrorCode::kNotFound,
               "of " + std::to_string(count) + " volumes these are missing: " + missing);
}

}  // namespace

Result<trust::TrustState> OwnTrust(const File& bundle) {
  const UnverifiedBundle unverified = TRY(UnverifiedBundle::Open(bundle));
  const UnverifiedBundle::Claims claims = TRY(unverified.ReadClaims());
  if (claims.manifest.roots.empty()) {
    return Error(ErrorCode::kNotFound, "no trust root travels along: name one with --trust");
  }
  const format::RootEntry& root = claims.manifest.roots.front();
  const std::string manifest_text = TRY(format::SerializeManifest(claims.manifest));
  const uint64_t at = format::TarMemberBytes(format::kFormatText.size()) +
                      format::TarMemberBytes(manifest_text.size()) +
                      format::TarMemberBytes(format::kSignaturesBytes) +
                      format::TarHeaderBytes(root.size);
  std::string text(root.size, '\0');
  const size_t got = TRY(bundle.ReadAt(at, {reinterpret_cast<uint8_t*>(text.data()), text.size()}));
  text.resize(got);
  trust::TrustState trust;
  trust.roots = TRY(trust::ParseRootChain(text).WithContext("the bundle's trust root"));
  return trust;
}

Result<std::vector<std::string>> SplitBundle(const File& bundle, const trust::TrustState& trust,
                                             uint64_t max_volume_bytes, FileSystem& output,
                                             const std::string& name, const CopyOptions& options) {
  const SignableBundle whole = TRY(OpenPart(bundle, trust));
  if (whole.volume()) {
    return Error(ErrorCode::kInvalidArgument,
                 "it is a volume already; put the bundle together with 'bundle join' first");
  }
  const uint64_t manifest_bytes = whole.manifest_text().size();
  const uint64_t chunks =
      TRY(ChooseChunks(whole.manifest(), manifest_bytes, whole.map(), max_volume_bytes));
  if (chunks == 0) {
    return Error(ErrorCode::kInvalidArgument, "it has " + std::to_string(whole.bundle_bytes()) +
                                                  " bytes and needs no cutting for volumes of " +
                                                  std::to_string(max_volume_bytes));
  }
  const uint64_t count = format::Volume{1, chunks}.Count(whole.map().count());
  std::vector<std::string> names;
  uint64_t needed = 0;
  for (uint64_t number = 1; number <= count; ++number) {
    names.push_back(VolumeName(name, number, count));
    needed +=
        ArchiveBytes(whole.manifest(), manifest_bytes, whole.map(), format::Volume{number, chunks});
  }
  TRY(CheckOutput(output, names, needed, options.overwrite));
  Copier copier({&whole}, whole.signatures_text(), options);
  TRY(copier.ReadHashes());
  NewFiles outputs(output);
  for (uint64_t number = 1; number <= count; ++number) {
    const std::unique_ptr<File> file = TRY(outputs.Create(names[number - 1]));
    TRY(copier.Write(*file, format::Volume{number, chunks}));
  }
  TRY(whole.CheckEnd());
  TRY(outputs.Commit());
  return names;
}

Result<void> JoinVolumes(std::span<const reader::NamedFile> volumes, const trust::TrustState& trust,
                         FileSystem& output, const std::string& path, const CopyOptions& options) {
  const std::map<uint64_t, SignableBundle> parts = TRY(OpenVolumes(volumes, trust));
  std::string signatures = TRY(AllSignatures(parts));
  std::vector<const BundleContents*> contents;
  for (const auto& [number, part] : parts) contents.push_back(&part);
  const BundleContents& any = *contents.front();
  const uint64_t needed =
      ArchiveBytes(any.manifest(), any.manifest_text().size(), any.map(), std::nullopt);
  TRY(CheckOutput(output, {path}, needed, options.overwrite));
  Copier copier(contents, std::move(signatures), options);
  TRY(copier.ReadHashes());
  NewFiles outputs(output);
  const std::unique_ptr<File> file = TRY(outputs.Create(path));
  TRY(copier.Write(*file, std::nullopt));
  for (const BundleContents* part : contents) TRY(part->CheckEnd());
  return outputs.Commit();
}

}  // namespace skerry::build
