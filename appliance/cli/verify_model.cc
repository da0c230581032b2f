#include "appliance/cli/verify_model.h"

#include <mutex>
#include <optional>
#include <set>

#include "appliance/base/sha256.h"
#include "bundler/format/chunks.h"
#include "bundler/format/layout.h"
#include "bundler/format/manifest.h"
#include "bundler/format/names.h"
#include "bundler/format/tree.h"

namespace skerry::cli {

namespace {

constexpr std::string_view kPrefix = "sha256-";

class ModelVerifier {
 public:
  ModelVerifier(FileSystem& files, std::string folder, const ModelCheck& check, uint64_t total)
      : files_(files), folder_(std::move(folder)), check_(check), total_(total) {}

  std::optional<Damage> Check(const format::FileEntry& entry) {
    const uint64_t count = format::ChunkCount(entry.size);
    Damage damage{entry.name, "", 0, count == 0 ? 0 : count - 1};
    const std::string path = folder_ + "/" + entry.name;
    const Result<FileKind> kind = files_.Stat(path);
    if (!kind || *kind != FileKind::kFile) {
      damage.what = kind ? "is no regular file" : "is missing";
      return damage;
    }
    const Result<std::unique_ptr<File>> file = files_.OpenRead(path);
    const Result<uint64_t> size = file ? (*file)->Size() : Result<uint64_t>(file.error());
    if (!size) {
      damage.what = size.error().message();
      return damage;
    }
    if (*size != entry.size) {
      damage.what =
          "has " + std::to_string(*size) + " bytes instead of " + std::to_string(entry.size);
      return damage;
    }
    return CheckContent(**file, entry, count, std::move(damage));
  }

 private:
  std::optional<Damage> CheckContent(const File& file, const format::FileEntry& entry,
                                     uint64_t count, Damage damage) {
    std::vector<Sha256Digest> leaves(count);
    format::ParallelWork work;
    work.count = count;
    work.buffer_bytes = format::kChunkBytes;
    work.threads = check_.threads;
    work.run = [&](uint64_t idx, std::span<uint8_t> buffer) -> Result<void> {
      const size_t size = format::ChunkSize(entry.size, idx);
      const Result<size_t> got = file.ReadAt(idx * format::kChunkBytes, buffer.first(size));
      if (!got || *got != size) {
        const std::lock_guard lock(mu_);
        damage.first_chunk = damage.last_chunk = idx;
        damage.what = got ? "became shorter while it was read" : got.error().message();
        return Error(ErrorCode::kIo, damage.what);
      }
      leaves[idx] = format::LeafHash(buffer.first(size));
      const std::lock_guard lock(mu_);
      done_ += size;
      if (check_.progress) check_.progress(done_, total_);
      return {};
    };
    if (!format::RunParallel(work)) return damage;
    if (format::TreeRoot(leaves) == entry.root) return std::nullopt;
    damage.what = "has another content than the one that was signed";
    return damage;
  }

  FileSystem& files_;
  const std::string folder_;
  const ModelCheck& check_;
  const uint64_t total_;
  std::mutex mu_;
  uint64_t done_ = 0;  // guarded by mu_
};

// What lies below `folder` and is not `known`, which the engine might read.
Result<void> FindStrangers(FileSystem& files, const std::string& folder, const std::string& prefix,
                           const std::set<std::string>& known, std::vector<Damage>& damage) {
  const std::vector<DirectoryEntry> entries = TRY(files.List(folder));
  for (const DirectoryEntry& entry : entries) {
    const std::string name = prefix + entry.name;
    if (entry.kind == FileKind::kDirectory) {
      TRY(FindStrangers(files, folder + "/" + entry.name, name + "/", known, damage));
    } else if (!known.contains(name)) {
      damage.push_back({format::Quote(name), "is not in the manifest", 0, 0});
    }
  }
  return {};
}

}  // namespace

Result<ModelReport> VerifyStoredModel(FileSystem& files, const std::string& digest,
                                      const ModelCheck& check) {
  const bool is_digest = digest.starts_with(kPrefix) &&
                         Sha256Digest::FromHex(std::string_view(digest).substr(kPrefix.size()));
  if (!is_digest) {
    return Error(ErrorCode::kInvalidArgument, "a model's digest is 'sha256-' and 64 hex digits");
  }
  const std::string folder = "store/" + digest;
  if (!files.Exists(folder)) {
    return Error(ErrorCode::kNotFound, "the store has no model '" + digest + "'");
  }
  const std::string text =
      TRY(ReadAll(files, folder + "/bundle/manifest", format::kMaxManifestBytes));
  if (std::string(kPrefix) + Sha256::Of(std::string_view(text)).Hex() != digest) {
    return Error(ErrorCode::kCorrupt,
                 "'" + folder + "/bundle/manifest' was changed: its hash is not the folder's name");
  }
  const format::Manifest manifest = TRY(format::ParseManifest(text));
  ModelReport report{digest, manifest.id, manifest.version, manifest.DataBytes(), {}};
  ModelVerifier verifier(files, folder + "/files", check, report.size_bytes);
  std::set<std::string> known;
  for (const format::FileEntry& entry : manifest.files) {
    known.insert(entry.name);
    std::optional<Damage> damage = verifier.Check(entry);
    if (damage) report.damage.push_back(std::move(*damage));
  }
  if (files.Exists(folder + "/files")) {
    TRY(FindStrangers(files, folder + "/files", "", known, report.damage));
  }
  return report;
}

}  // namespace skerry::cli
