#include "bundler/import/install.h"

#include <nlohmann/json.hpp>
#include <set>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"
#include "bundler/format/chunks.h"
#include "bundler/inspect/model.h"
#include "bundler/reader/volume_set.h"

namespace skerry::import {

namespace {

using reader::VerifiedBundle;

constexpr unsigned kFileMode = 0444;
constexpr unsigned kDirectoryMode = 0755;
constexpr uint64_t kDiskBlockBytes = 4096;
constexpr uint64_t kOverheadBytes = 1 << 20;  // directories, import.json

uint64_t DiskBytes(uint64_t size) { return (size / kDiskBlockBytes + 1) * kDiskBlockBytes; }

uint64_t NeededBytes(const VerifiedBundle& bundle) {
  uint64_t total = kOverheadBytes + DiskBytes(bundle.manifest_text().size()) +
                   DiskBytes(bundle.signatures_text().size());
  for (const format::FileEntry& entry : bundle.manifest().files) total += DiskBytes(entry.size);
  for (const format::FileEntry& entry : bundle.manifest().documents) total += DiskBytes(entry.size);
  return total;
}

// Writes the staging folder; every file is durable when it is closed, every directory after Finish.
class StagingSink {
 public:
  StagingSink(FileSystem& files, std::string staging, const format::Manifest& manifest)
      : files_(files), staging_(std::move(staging)), manifest_(manifest) {}

  Result<void> Prepare() {
    TRY(MakeDirectory("files"));
    return MakeDirectory("bundle");
  }

  Result<void> Put(const std::string& name, std::string_view content) {
    const std::unique_ptr<File> file = TRY(Create(name));
    TRY(file->Append(AsBytes(content)));
    return file->Sync();
  }

  // Every byte of the bundle, in order.
  Result<void> Take(const VerifiedBundle& bundle, const reader::ReadOptions& options) {
    const reader::ChunkHashes hashes = TRY(bundle.ReadHashes());
    TRY(bundle.ReadDocuments([&](size_t document_idx, std::span<const uint8_t> content) {
      return Put("bundle/documents/" + manifest_.documents[document_idx].name, AsText(content));
    }));
    uint64_t done_bytes = 0;
    format::ChunkWork work;
    work.count = bundle.map().count();
    work.buffer_bytes = bundle.map().LargestBytes();
    work.threads = options.threads;
    work.produce = [&](uint64_t chunk, std::span<uint8_t> buffer) {
      return bundle.ReadChunk(chunk, hashes, buffer);
    };
    work.consume = [&](uint64_t chunk, std::span<const uint8_t> bytes) -> Result<void> {
      const size_t file_idx = bundle.map().At(chunk).file_idx;
      const format::ChunkRange chunks = bundle.map().Of(file_idx);
      if (chunk == chunks.first) open_ = TRY(Create("files/" + manifest_.files[file_idx].name));
      TRY(open_->Append(bytes));
      if (chunk + 1 == chunks.last) TRY(open_->Sync());
      done_bytes += bytes.size();
      if (options.progress) options.progress(done_bytes, bundle.data_bytes());
      return {};
    };
    TRY(format::RunChunks(work));
    open_.reset();
    return bundle.CheckEnd();
  }

  // Makes all entries durable, the deepest first.
  Result<void> Finish() {
    for (auto it = directories_.rbegin(); it != directories_.rend(); ++it) {
      TRY(files_.SyncDirectory(staging_ + "/" + *it));
    }
    TRY(files_.SyncDirectory(staging_));
    return files_.SyncDirectory(ParentDirectory(staging_));
  }

 private:
  Result<std::unique_ptr<File>> Create(const std::string& name) {
    TRY(MakeDirectory(ParentDirectory(name)));
    return files_.Create(staging_ + "/" + name, kFileMode);
  }

  Result<void> MakeDirectory(const std::string& name) {
    if (name == "." || directories_.contains(name)) return {};
    TRY(MakeDirectory(ParentDirectory(name)));
    TRY(files_.MakeDirectory(staging_ + "/" + name, kDirectoryMode));
    directories_.insert(name);
    return {};
  }

  FileSystem& files_;
  const std::string staging_;
  const format::Manifest& manifest_;
  std::unique_ptr<File> open_;
  std::set<std::string> directories_;  // sorted, so a parent comes before its children
};

std::string Describe(const VerifiedBundle& bundle, inspect::ModelFormat model_format,
                     int64_t unix_millis) {
  const format::Manifest& manifest = bundle.manifest();
  Json signers = Json::array();
  for (const trust::KeyId& id : bundle.signers()) signers.push_back(id.Hex());
  const Json json = {{"digest", "sha256-" + bundle.digest().Hex()},
                     {"files", manifest.files.size()},
                     {"id", manifest.id},
                     {"imported_at", FormatUtc(unix_millis)},
                     {"model_digest", bundle.model_digest().Hex()},
                     {"model_format", inspect::ModelFormatName(model_format)},
                     {"release_seq", manifest.release_seq},
                     {"root_version", bundle.root_version()},
                     {"signers", std::move(signers)},
                     {"size_bytes", manifest.DataBytes()},
                     {"version", manifest.version}};
  return DumpJson(json) + "\n";
}

Result<void> CheckSpace(FileSystem& files, uint64_t needed, uint64_t reserved) {
  const uint64_t free = TRY(files.FreeBytes());
  if (free >= needed + reserved) return {};
  return Error(ErrorCode::kExhausted, "not enough space: the model needs " +
                                          std::to_string(needed) + " bytes and " +
                                          std::to_string(reserved) + " stay reserved, " +
                                          std::to_string(free) + " are free; nothing was written");
}

// Staging to store, durably.
Result<void> Publish(FileSystem& files, const std::string& staging, const std::string& place) {
  TRY(files.RenameNoReplace(staging, place));
  Result<void> synced = files.SyncDirectory("store");
  if (synced) synced = files.SyncDirectory(ParentDirectory(staging));
  if (synced) return {};
  // Not durable, so not imported: take it back as far as the disk still answers.
  (void)files.Rename(place, staging);
  return synced;
}

Result<ImportResult> Import(FileSystem& files, const std::string& staging,
                            const VerifiedBundle& bundle, const ImportOptions& options) {
  const format::Manifest& manifest = bundle.manifest();
  ImportResult result;
  result.digest = "sha256-" + bundle.digest().Hex();
  result.id = manifest.id;
  result.version = manifest.version;
  result.release_seq = manifest.release_seq;
  result.expires = manifest.expires;
  const std::string place = "store/" + result.digest;

  StagingSink sink(files, staging, manifest);
  TRY(sink.Prepare());
  TRY(sink.Take(bundle, options.read));
  const inspect::ModelFormat model_format = TRY(inspect::InspectFiles(manifest, [&](size_t idx) {
    // What was written, not what the medium might answer now.
    return files.OpenRead(staging + "/files/" + manifest.files[idx].name);
  }));
  TRY(sink.Put("bundle/manifest", bundle.manifest_text()));
  TRY(sink.Put("bundle/signatures", bundle.signatures_text()));
  TRY(sink.Put("import.json", Describe(bundle, model_format, options.clock->UnixMillis())));
  TRY(sink.Finish());
  const Result<void> published = Publish(files, staging, place);
  if (!published && published.error().code() == ErrorCode::kAlreadyExists) {
    result.already_present = true;  // another import of the same bundle was faster
  } else if (!published) {
    return published.error();
  }
  return result;
}

}  // namespace

Result<ImportResult> ImportBundle(FileSystem& files, const std::string& staging, const File& bundle,
                                  const trust::TrustState& trust, const ImportOptions& options) {
  auto run = [&]() -> Result<ImportResult> {
    reader::UnverifiedBundle unverified = TRY(reader::UnverifiedBundle::Open(bundle));
    const VerifiedBundle verified = TRY(std::move(unverified).Verify(trust));
    if (verified.volume()) {
      return Error(ErrorCode::kInvalidArgument,
                   "this is " + reader::DescribeVolume(verified) + "; give the whole bundle");
    }
    const format::Manifest& manifest = verified.manifest();
    const std::string digest = "sha256-" + verified.digest().Hex();
    if (files.Exists("store/" + digest)) {
      TRY(verified.Read(options.read));
      return ImportResult{digest,           manifest.id,
                          manifest.version, manifest.release_seq,
                          manifest.expires, /*already_present=*/true};
    }
    TRY(CheckSpace(files, NeededBytes(verified), options.reserved_bytes));
    return Import(files, staging, verified, options);
  };
  Result<ImportResult> result = run();
  // What cannot be removed now, the next import removes.
  (void)RemoveTree(files, staging);
  return result;
}

}  // namespace skerry::import
