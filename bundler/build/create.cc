#include "bundler/build/create.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "appliance/base/encode.h"
#include "bundler/build/new_files.h"
#include "bundler/build/sbom.h"
#include "bundler/build/signers.h"
#include "bundler/build/volumes.h"
#include "bundler/format/archive_writer.h"
#include "bundler/format/chunk_map.h"
#include "bundler/format/chunks.h"
#include "bundler/format/layout.h"
#include "bundler/format/names.h"
#include "bundler/format/tree.h"
#include "bundler/inspect/content.h"
#include "bundler/trust/revocations.h"

namespace skerry::build {

namespace {

using format::ChunkPlace;
using format::FileEntry;
using format::Quote;

// A file of the source, open, with what the first pass learnt about it.
struct Input {
  std::unique_ptr<File> file;
  FileEntry entry;
  std::vector<Sha256Digest> leaves;
  std::optional<Sha256Digest> claimed;  // SourceFile::sha256
};

// A document that was made here.
class TextFile : public File {
 public:
  explicit TextFile(std::string text) : text_(std::move(text)) {}

  Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    if (offset >= text_.size()) return size_t{0};
    const size_t count = std::min<size_t>(out.size(), text_.size() - offset);
    std::copy_n(AsBytes(text_).begin() + static_cast<ptrdiff_t>(offset), count, out.begin());
    return count;
  }
  Result<uint64_t> Size() const override { return text_.size(); }
  Result<void> Append(std::span<const uint8_t>) override { return ReadOnly(); }
  Result<void> Sync() override { return ReadOnly(); }
  Result<void> Truncate(uint64_t) override { return ReadOnly(); }

 private:
  static Error ReadOnly() { return Error(ErrorCode::kInternal, "a text is not written to"); }
  const std::string text_;
};

Result<std::vector<Input>> OpenInputs(FileSystem& files, const std::vector<SourceFile>& sources) {
  std::vector<Input> inputs;
  for (const SourceFile& source : sources) {
    Input input;
    input.entry.name = source.name;
    input.claimed = source.sha256;
    input.file = TRY(files.OpenRead(source.path));
    input.entry.size = TRY(input.file->Size());
    input.leaves.resize(format::ChunkCount(input.entry.size));
    inputs.push_back(std::move(input));
  }
  return inputs;
}

format::ChunkMap MapOf(const std::vector<Input>& inputs) {
  std::vector<FileEntry> entries;
  for (const Input& input : inputs) entries.push_back(input.entry);
  return format::ChunkMap(entries);
}

Error Changed(const Input& input) {
  return Error(ErrorCode::kCorrupt, "file " + Quote(input.entry.name) +
                                        " changed while it was read; nothing was written");
}

Result<void> ReadChunk(const Input& input, const ChunkPlace& place, std::span<uint8_t> buffer) {
  const size_t got = TRY(input.file->ReadAt(place.offset, buffer.first(place.size)));
  if (got != place.size) return Changed(input);
  return {};
}

// What becomes one file.
struct Part {
  std::string path;
  std::optional<format::Volume> volume;
  uint64_t bytes = 0;
};

class Creator {
 public:
  Creator(const CreateOptions& options, std::span<const SecretKey> keys)
      : options_(options),
        keys_(keys),
        threads_(options.threads == 0 ? format::DefaultThreads() : options.threads) {}

  Result<void> Open(FileSystem& files, const std::vector<SourceFile>& sources) {
    inputs_ = TRY(OpenInputs(files, sources));
    documents_ = TRY(OpenInputs(files, options_.documents));
    for (const Input& input : inputs_) total_bytes_ += 2 * input.entry.size;
    for (const Input& input : documents_) total_bytes_ += input.entry.size;
    return {};
  }

  // First pass: leaves, tree roots and whole-file hashes.
  Result<void> Hash(std::vector<Input>& inputs) {
    const format::ChunkMap map = MapOf(inputs);
    std::vector<Sha256> whole(inputs.size());
    format::ChunkWork work = Work(map);
    work.produce = [&](uint64_t chunk, std::span<uint8_t> buffer) -> Result<size_t> {
      const ChunkPlace place = map.At(chunk);
      Input& input = inputs[place.file_idx];
      TRY(ReadChunk(input, place, buffer));
      if (place.size > 0) {
        input.leaves[place.chunk_idx] = format::LeafHash(buffer.first(place.size));
      }
      return place.size;
    };
    work.consume = [&](uint64_t chunk, std::span<const uint8_t> bytes) -> Result<void> {
      whole[map.At(chunk).file_idx].Update(bytes);
      Report(bytes.size());
      return {};
    };
    TRY(format::RunChunks(work));
    for (size_t i = 0; i < inputs.size(); ++i) {
      inputs[i].entry.sha256 = whole[i].Finish();
      if (inputs[i].claimed && *inputs[i].claimed != inputs[i].entry.sha256) {
        return Error(ErrorCode::kCorrupt, "file " + Quote(inputs[i].entry.name) +
                                              " is damaged: its store names it by SHA-256 " +
                                              inputs[i].claimed->Hex() + ", its content has " +
                                              inputs[i].entry.sha256.Hex() +
                                              "; download the model again");
      }
      inputs[i].entry.root = format::TreeRoot(inputs[i].leaves);
    }
    return {};
  }

  // Adds the SBOM, whose content needs the files' hashes, in its place among the documents.
  Result<void> AddSbom() {
    if (!options_.make_sbom) return {};
    format::Manifest known;
    known.id = options_.id;
    known.version = options_.version;
    for (const Input& input : inputs_) known.files.push_back(input.entry);
    std::string text = TRY(options_.make_sbom(known));
    Input input;
    input.entry.name = kSbomName;
    input.entry.size = text.size();
    input.leaves.resize(format::ChunkCount(text.size()));
    total_bytes_ += text.size();
    input.file = std::make_unique<TextFile>(std::move(text));
    const auto place = std::find_if(documents_.begin(), documents_.end(), [&](const Input& other) {
      return other.entry.name >= input.entry.name;
    });
    documents_.insert(place, std::move(input));
    return {};
  }

  // The manifest and its signatures, checked as an importer would check them.
  Result<void> Sign() {
    const trust::RootChain chain = TRY(trust::ParseRootChain(options_.root_text));
    const trust::Root& root = chain.newest().root;
    manifest_.id = options_.id;
    manifest_.version = options_.version;
    manifest_.release_seq = options_.release_seq;
    manifest_.expires = options_.expires;
    for (const Input& input : inputs_) manifest_.files.push_back(input.entry);
    for (const Input& input : documents_) manifest_.documents.push_back(input.entry);
    for (const trust::SignedRoot& line : chain.roots) {
      manifest_.roots.push_back(
          {line.root.version, line.text.size(), Sha256::Of(std::string_view(line.text))});
    }
    trust::Revocations list;
    if (!options_.revocations_text.empty()) {
      list = TRY(trust::ParseRevocations(root, options_.revocations_text));
      manifest_.revocations =
          format::BlobEntry{options_.revocations_text.size(),
                            Sha256::Of(std::string_view(options_.revocations_text))};
    }
    head_.manifest_text = TRY(format::SerializeManifest(manifest_));
    std::vector<trust::Signature> signatures;
    for (const SecretKey& key : keys_) {
      signatures.push_back(key.Sign(format::kManifestType, head_.manifest_text));
    }
    signers_ = TRY(CountSigners(root.release, list.keys, keys_));
    if (signers_.missing() == 0) {
      TRY(trust::CheckSignatures(root, trust::RoleName::kRelease, signatures, format::kManifestType,
                                 head_.manifest_text, list.keys)
              .WithContext("an appliance with this trust root would refuse the bundle"));
    }
    head_.signatures_text = trust::SerializeSignatures(std::move(signatures));
    for (const trust::SignedRoot& line : chain.roots) {
      head_.roots.push_back({line.root.version, line.text});
    }
    if (manifest_.revocations) head_.revocations_text = options_.revocations_text;
    return {};
  }

  // The parts that will be written: one without a volume, or all volumes.
  Result<std::vector<Part>> Plan(const std::string& path) const {
    const format::ChunkMap map(manifest_.files);
    const uint64_t manifest_bytes = head_.manifest_text.size();
    uint64_t chunks = 0;
    if (options_.max_volume_bytes > 0) {
      chunks = TRY(ChooseChunks(manifest_, manifest_bytes, map, options_.max_volume_bytes));
    }
    if (chunks == 0) {
      return std::vector<Part>{
          {path, std::nullopt, ArchiveBytes(manifest_, manifest_bytes, map, std::nullopt)}};
    }
    std::vector<Part> parts;
    const uint64_t count = format::Volume{1, chunks}.Count(map.count());
    for (uint64_t number = 1; number <= count; ++number) {
      const format::Volume volume{number, chunks};
      parts.push_back({VolumeName(path, number, count), volume,
                       ArchiveBytes(manifest_, manifest_bytes, map, volume)});
    }
    return parts;
  }

  // Second pass: an archive, while every chunk is compared with the first pass.
  Result<uint64_t> Write(File& output, const std::optional<format::Volume>& volume) {
    const format::ChunkMap map(manifest_.files);
    format::ArchiveWriter archive(output, map, volume);
    TRY(archive.Head(head_));
    for (const Input& input : inputs_) TRY(archive.Tree(input.leaves));
    for (const Input& input : documents_) {
      std::vector<uint8_t> bytes(input.entry.size);
      if (!bytes.empty()) {
        TRY(ReadChunk(input, {.size = bytes.size()}, bytes));
        if (format::LeafHash(bytes) != input.entry.root) return Changed(input);
      }
      TRY(archive.Document(bytes));
    }
    TRY(WriteData(map, archive));
    const uint64_t written_bytes = TRY(archive.Finish());
    TRY(output.Sync());
    return written_bytes;
  }

  std::vector<Input>& inputs() { return inputs_; }
  std::vector<Input>& documents() { return documents_; }
  const format::Manifest& manifest() const { return manifest_; }
  const Signers& signers() const { return signers_; }
  Sha256Digest digest() const { return Sha256::Of(std::string_view(head_.manifest_text)); }

 private:
  format::ChunkWork Work(const format::ChunkMap& map) const {
    format::ChunkWork work;
    work.count = map.count();
    work.buffer_bytes = map.LargestBytes();
    work.threads = threads_;
    return work;
  }

  Result<void> WriteData(const format::ChunkMap& map, format::ArchiveWriter& archive) {
    const format::ChunkRange range = archive.layout().chunks();
    format::ChunkWork work = Work(map);
    work.count = range.count();
    work.produce = [&](uint64_t idx, std::span<uint8_t> buffer) -> Result<size_t> {
      const ChunkPlace place = map.At(range.first + idx);
      const Input& input = inputs_[place.file_idx];
      TRY(ReadChunk(input, place, buffer));
      if (place.size > 0 &&
          format::LeafHash(buffer.first(place.size)) != input.leaves[place.chunk_idx]) {
        return Changed(input);
      }
      return place.size;
    };
    work.consume = [&](uint64_t idx, std::span<const uint8_t> bytes) -> Result<void> {
      TRY(archive.Chunk(range.first + idx, bytes));
      Report(bytes.size());
      return {};
    };
    return format::RunChunks(work);
  }

  void Report(uint64_t bytes) {
    if (bytes == 0) return;
    done_bytes_ += bytes;
    if (options_.progress) options_.progress(done_bytes_, total_bytes_);
  }

  const CreateOptions& options_;
  const std::span<const SecretKey> keys_;
  const unsigned threads_;
  std::vector<Input> inputs_;
  std::vector<Input> documents_;
  format::Manifest manifest_;
  format::ArchiveHead head_;
  Signers signers_;
  uint64_t total_bytes_ = 0;
  uint64_t done_bytes_ = 0;
};

// Documents may be anything that can be read without running it.
Result<void> CheckDocument(const Input& document) {
  const FileEntry& entry = document.entry;
  if (entry.size > format::kMaxDocumentBytes) {
    return Error(ErrorCode::kExhausted, "document " + Quote(entry.name) + " is larger than 4 MiB");
  }
  return inspect::CheckContent(entry.name, *document.file);
}

Result<void> CheckNames(const std::vector<SourceFile>& sources) {
  std::vector<std::string_view> names;
  for (const SourceFile& source : sources) names.push_back(source.name);
  return format::CheckFileNames(names);
}

}  // namespace

inspect::ModelFiles FilesOf(FileSystem& files, const Source& source) {
  inspect::ModelFiles model;
  for (const SourceFile& file : source.files) model.names.push_back(file.name);
  model.open = [&](const std::string& name) -> Result<std::unique_ptr<File>> {
    const auto found = std::find_if(source.files.begin(), source.files.end(),
                                    [&](const SourceFile& file) { return file.name == name; });
    return files.OpenRead(found->path);
  };
  return model;
}

Result<Created> CreateBundle(FileSystem& source_files, const Source& source,
                             const CreateOptions& options, std::span<const SecretKey> keys,
                             FileSystem& output_files, const std::string& output_path) {
  TRY(format::CheckModelId(options.id));
  TRY(format::CheckVersion(options.version));
  if (options.expires) TRY(format::CheckDay(*options.expires).WithContext("expires"));
  TRY(CheckNames(source.files));
  TRY(CheckNames(options.documents));
  for (const SourceFile& document : options.documents) {
    if (options.make_sbom && document.name == kSbomName) {
      return Error(ErrorCode::kInvalidArgument,
                   "document " + Quote(kSbomName) + " is made here; give yours another name");
    }
  }
  Created created;
  created.model_format = TRY(inspect::InspectModel(FilesOf(source_files, source)));
  Creator creator(options, keys);
  TRY(creator.Open(source_files, source.files));
  for (const Input& document : creator.documents()) TRY(CheckDocument(document));
  uint64_t least_bytes = 0;
  for (const Input& input : creator.inputs()) least_bytes += input.entry.size;
  // What is certain already, before the long work.
  const bool whole = options.max_volume_bytes == 0;
  TRY(CheckOutput(output_files, {output_path}, least_bytes, options.overwrite || !whole));
  TRY(creator.Hash(creator.inputs()));
  TRY(creator.AddSbom());
  TRY(creator.Hash(creator.documents()));
  TRY(creator.Sign());

  const std::vector<Part> parts = TRY(creator.Plan(output_path));
  uint64_t needed_bytes = 0;
  for (const Part& part : parts) {
    needed_bytes += part.bytes;
    created.paths.push_back(part.path);
  }
  TRY(CheckOutput(output_files, created.paths, needed_bytes, options.overwrite));
  NewFiles outputs(output_files);
  for (const Part& part : parts) {
    const std::unique_ptr<File> output = TRY(outputs.Create(part.path));
    const uint64_t written = TRY(creator.Write(*output, part.volume));
    created.bundle_bytes += written;
  }
  TRY(outputs.Commit());
  created.needed_signatures = creator.signers().needed;
  created.missing_signatures = creator.signers().missing();
  created.digest = creator.digest();
  created.manifest = creator.manifest();
  return created;
}

}  // namespace skerry::build
