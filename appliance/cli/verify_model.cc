#include "appliance/cli/verify_model.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "appliance/base/encode.h"
#include "appliance/base/sha256.h"
#include "bundler/format/chunks.h"
#include "bundler/format/layout.h"
#include "bundler/format/manifest.h"
#include "bundler/format/names.h"
#include "bundler/format/tree.h"

namespace skerry::cli {

namespace {

constexpr std::string_view kPrefix = "sha256-";

constexpr char kLeavesName[] = "bundle/tree";

using Leaves = std::vector<Sha256Digest>;

// bundle/tree: the leaf hashes of all files, one after the other. Each file's own, or none where
// they do not make the file's root, with what is wrong in `damage`. Stores of earlier versions have
// no such file.
std::vector<std::optional<Leaves>> ReadLeaves(FileSystem& files, const std::string& folder,
                                              const format::Manifest& manifest,
                                              std::vector<Damage>& damage) {
  std::vector<std::optional<Leaves>> leaves(manifest.files.size());
  const std::string path = folder + "/" + kLeavesName;
  if (!files.Exists(path)) return leaves;
  uint64_t total = 0;
  for (const format::FileEntry& entry : manifest.files) total += format::ChunkCount(entry.size);
  const Result<std::string> text = ReadAll(files, path, total * sizeof(Sha256Digest::bytes));
  if (!text || text->size() != total * sizeof(Sha256Digest::bytes)) {
    damage.push_back({kLeavesName, text ? "has another length" : text.error().message()});
    return leaves;
  }
  bool good = true;
  size_t at = 0;
  for (size_t i = 0; i < manifest.files.size(); ++i) {
    Leaves own(format::ChunkCount(manifest.files[i].size));
    for (Sha256Digest& leaf : own) {
      std::copy_n(AsBytes(*text).begin() + static_cast<ptrdiff_t>(at), leaf.bytes.size(),
                  leaf.bytes.begin());
      at += leaf.bytes.size();
    }
    const bool holds = format::TreeRoot(own) == manifest.files[i].root;
    if (holds) leaves[i] = std::move(own);
    good = good && holds;
  }
  if (!good) damage.push_back({kLeavesName, "has other hashes than those that were signed"});
  return leaves;
}

// Which chunks of a file are damaged, and how. Thread-safe.
class DamagedChunks {
 public:
  void Add(uint64_t chunk, std::string what) {
    const std::lock_guard lock(mu_);
    chunks_.emplace(chunk, std::move(what));
  }
  // Neighbours with the same damage together.
  std::vector<Damage> Stretches(const std::string& file) const {
    std::vector<Damage> list;
    for (const auto& [chunk, what] : chunks_) {
      const bool goes_on = !list.empty() && list.back().last_chunk + 1 == chunk;
      if (goes_on && list.back().what == what) {
        list.back().last_chunk = chunk;
      } else if (list.size() < kMaxStretches) {
        list.push_back({file, what, chunk, chunk, true});
      } else {
        list.back().last_chunk = chunk;
        list.back().exact = false;
      }
    }
    return list;
  }

 private:
  std::mutex mu_;
  std::map<uint64_t, std::string> chunks_;  // guarded by mu_
};

class ModelVerifier {
 public:
  ModelVerifier(FileSystem& files, std::string folder, const ModelCheck& check, uint64_t total)
      : files_(files), folder_(std::move(folder)), check_(check), total_(total) {}

  // `leaves`: null when they are not known.
  std::vector<Damage> Check(const format::FileEntry& entry, const Leaves* leaves) {
    const uint64_t count = format::ChunkCount(entry.size);
    Damage damage{entry.name, "", 0, count == 0 ? 0 : count - 1};
    const std::string path = folder_ + "/" + entry.name;
    const Result<FileKind> kind = files_.Stat(path);
    if (!kind || *kind != FileKind::kFile) {
      damage.what = kind ? "is no regular file" : "is missing";
      return {damage};
    }
    const Result<std::unique_ptr<File>> file = files_.OpenRead(path);
    const Result<uint64_t> size = file ? (*file)->Size() : Result<uint64_t>(file.error());
    if (!size) {
      damage.what = size.error().message();
      return {damage};
    }
    if (*size != entry.size) {
      damage.what =
          "has " + std::to_string(*size) + " bytes instead of " + std::to_string(entry.size);
      return {damage};
    }
    return leaves != nullptr ? CheckChunks(**file, entry, *leaves)
                             : CheckWhole(**file, entry, std::move(damage));
  }

 private:
  // The hashes of all chunks; nothing for one that cannot be read, which is in `damaged`.
  std::vector<std::optional<Sha256Digest>> HashChunks(const File& file,
                                                      const format::FileEntry& entry,
                                                      DamagedChunks& damaged) {
    std::vector<std::optional<Sha256Digest>> hashes(format::ChunkCount(entry.size));
    format::ParallelWork work;
    work.count = hashes.size();
    work.buffer_bytes = format::kChunkBytes;
    work.threads = check_.threads;
    work.run = [&](uint64_t idx, std::span<uint8_t> buffer) -> Result<void> {
      const size_t size = format::ChunkSize(entry.size, idx);
      const Result<size_t> got = file.ReadAt(idx * format::kChunkBytes, buffer.first(size));
      if (got && *got == size) {
        hashes[idx] = format::LeafHash(buffer.first(size));
      } else {
        damaged.Add(idx, got ? "became shorter while it was read" : got.error().message());
      }
      const std::lock_guard lock(mu_);
      done_ += size;
      if (check_.progress) check_.progress(done_, total_);
      return {};
    };
    const Result<void> run = format::RunParallel(work);
    if (!run) damaged.Add(0, run.error().message());
    return hashes;
  }

  std::vector<Damage> CheckChunks(const File& file, const format::FileEntry& entry,
                                  const Leaves& leaves) {
    DamagedChunks damaged;
    const std::vector<std::optional<Sha256Digest>> hashes = HashChunks(file, entry, damaged);
    for (size_t idx = 0; idx < leaves.size(); ++idx) {
      if (hashes[idx] && *hashes[idx] != leaves[idx]) damaged.Add(idx, kOther);
    }
    return damaged.Stretches(entry.name);
  }

  std::vector<Damage> CheckWhole(const File& file, const format::FileEntry& entry, Damage whole) {
    DamagedChunks damaged;
    const std::vector<std::optional<Sha256Digest>> hashes = HashChunks(file, entry, damaged);
    std::vector<Damage> unread = damaged.Stretches(entry.name);
    if (!unread.empty()) return unread;
    Leaves leaves;
    for (const std::optional<Sha256Digest>& hash : hashes) leaves.push_back(*hash);
    if (format::TreeRoot(leaves) == entry.root) return {};
    whole.what = kOther;
    return {whole};
  }

  static constexpr char kOther[] = "has another content than the one that was signed";

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
  const std::vector<std::optional<Leaves>> leaves =
      ReadLeaves(files, folder, manifest, report.damage);
  std::set<std::string> known;
  for (size_t i = 0; i < manifest.files.size(); ++i) {
    known.insert(manifest.files[i].name);
    std::vector<Damage> damage =
        verifier.Check(manifest.files[i], leaves[i] ? &*leaves[i] : nullptr);
    for (Damage& item : damage) report.damage.push_back(std::move(item));
  }
  if (files.Exists(folder + "/files")) {
    TRY(FindStrangers(files, folder + "/files", "", known, report.damage));
  }
  return report;
}

}  // namespace skerry::cli
