#include "bundler/reader/verify.h"

#include <vector>

#include "bundler/format/chunks.h"
#include "bundler/format/names.h"

namespace skerry::reader {

namespace {

using format::Quote;

// Progress over several archives.
class Progress {
 public:
  Progress(const ReadOptions& options, const VolumeSet& set) : options_(options) {
    for (const auto* parts : {&set.parts(), &set.duplicates()}) {
      for (const VolumeSet::Part& part : *parts) total_bytes_ += part.bundle.data_bytes();
    }
  }
  // Options for reading the next archive.
  ReadOptions Next(const BundleContents& bundle) {
    ReadOptions next = options_;
    const uint64_t before = done_bytes_;
    done_bytes_ += bundle.data_bytes();
    if (options_.progress) {
      next.progress = [this, before](uint64_t done, uint64_t) {
        options_.progress(before + done, total_bytes_);
      };
    }
    return next;
  }
  void Add(uint64_t bytes) {
    done_bytes_ += bytes;
    if (options_.progress) options_.progress(done_bytes_, total_bytes_);
  }

 private:
  const ReadOptions& options_;
  uint64_t total_bytes_ = 0;
  uint64_t done_bytes_ = 0;
};

Result<void> Compare(std::string_view what, Sha256& whole, const format::FileEntry& entry) {
  if (whole.Finish() == entry.sha256) return {};
  return Error(ErrorCode::kCorrupt,
               std::string(what) + " " + Quote(entry.name) +
                   ": the SHA-256 that the manifest records is not that of the file");
}

// Every byte of one archive but its chunks; compares the documents' whole hashes.
Result<ChunkHashes> CheckAllButChunks(const BundleContents& bundle) {
  ChunkHashes hashes = TRY(bundle.ReadHashes());
  const format::Manifest& manifest = bundle.manifest();
  TRY(bundle.ReadDocuments([&](size_t idx, std::span<const uint8_t> content) {
    Sha256 whole;
    whole.Update(content);
    return Compare("document", whole, manifest.documents[idx]);
  }));
  TRY(bundle.CheckEnd());
  return hashes;
}

// Chunks in parallel and whole files in their order, all in one reading of the medium.
Result<void> ReadDeep(const VolumeSet& set, Progress& progress, unsigned threads) {
  ChunkHashes hashes;
  for (const VolumeSet::Part& part : set.parts()) {
    hashes = TRY(CheckAllButChunks(part.bundle).WithContext(Quote(part.name)));
  }
  const BundleContents& common = set.parts().front().bundle;
  const format::ChunkMap& map = common.map();
  Sha256 whole;
  format::ChunkWork work;
  work.count = map.count();
  work.buffer_bytes = map.LargestBytes();
  work.threads = threads;
  work.produce = [&](uint64_t chunk, std::span<uint8_t> buffer) {
    return set.ReadChunk(chunk, hashes, buffer);
  };
  work.consume = [&](uint64_t chunk, std::span<const uint8_t> bytes) -> Result<void> {
    whole.Update(bytes);
    progress.Add(bytes.size());
    const format::ChunkPlace place = map.At(chunk);
    if (chunk + 1 < map.Of(place.file_idx).last) return {};
    return Compare("file", whole, common.manifest().files[place.file_idx])
        .WithContext(Quote(set.Find(chunk)->name));
  };
  return format::RunChunks(work);
}

}  // namespace

Result<VolumeSet> VerifyArchives(std::span<const NamedFile> files, const trust::TrustState& trust,
                                 const VerifyOptions& options) {
  // Cheap refusals first: no data is read before all files are known to belong together.
  VolumeSet set;
  for (const NamedFile& file : files) {
    const std::string context = Quote(file.name);
    UnverifiedBundle unverified = TRY(UnverifiedBundle::Open(*file.file).WithContext(context));
    VerifiedBundle bundle = TRY(std::move(unverified).Verify(trust).WithContext(context));
    TRY(set.Add(file.name, std::move(bundle)));
  }
  if (options.deep) TRY(set.CheckComplete());
  Progress progress(options.read, set);
  auto read = [&](const std::vector<VolumeSet::Part>& parts) -> Result<void> {
    for (const VolumeSet::Part& part : parts) {
      TRY(part.bundle.Read(progress.Next(part.bundle)).WithContext(Quote(part.name)));
    }
    return {};
  };
  if (options.deep) {
    TRY(ReadDeep(set, progress, options.read.threads));
  } else {
    TRY(read(set.parts()));
  }
  TRY(read(set.duplicates()));
  return set;
}

}  // namespace skerry::reader
