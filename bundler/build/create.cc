#include "bundler/build/create.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "appliance/base/encode.h"
#include "bundler/format/chunks.h"
#include "bundler/format/layout.h"
#include "bundler/format/names.h"
#include "bundler/format/tar.h"
#include "bundler/format/tree.h"
#include "bundler/inspect/content.h"
#include "bundler/trust/revocations.h"

namespace skerry::build {

namespace {

using format::ChunkSize;
using format::FileEntry;
using format::Quote;

// One chunk of one file, in the order of the archive.
struct ChunkPlace {
  size_t file_idx = 0;
  uint64_t chunk_idx = 0;
};

// A file of the source, open, with what the first pass learnt about it.
struct Input {
  std::unique_ptr<File> file;
  FileEntry entry;
  std::vector<Sha256Digest> leaves;
  std::optional<Sha256Digest> claimed;  // SourceFile::sha256
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

std::vector<ChunkPlace> Places(const std::vector<Input>& inputs) {
  std::vector<ChunkPlace> places;
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (uint64_t chunk = 0; chunk < inputs[i].leaves.size(); ++chunk) places.push_back({i, chunk});
  }
  return places;
}

size_t LargestChunk(const std::vector<Input>& inputs) {
  size_t largest = 0;
  for (const Input& input : inputs) {
    if (input.entry.size > 0) largest = std::max(largest, ChunkSize(input.entry.size, 0));
  }
  return largest;
}

Error Changed(const Input& input) {
  return Error(ErrorCode::kCorrupt, "file " + Quote(input.entry.name) +
                                        " changed while it was read; nothing was written");
}

Result<size_t> ReadChunk(const Input& input, uint64_t chunk_idx, std::span<uint8_t> buffer) {
  const size_t wanted = ChunkSize(input.entry.size, chunk_idx);
  const size_t got = TRY(input.file->ReadAt(chunk_idx * format::kChunkBytes, buffer.first(wanted)));
  if (got != wanted) return Changed(input);
  return got;
}

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
    const std::vector<ChunkPlace> places = Places(inputs);
    std::vector<Sha256> whole(inputs.size());
    format::ChunkWork work = Work(inputs, places);
    work.produce = [&](uint64_t idx, std::span<uint8_t> buffer) -> Result<size_t> {
      Input& input = inputs[places[idx].file_idx];
      const size_t got = TRY(ReadChunk(input, places[idx].chunk_idx, buffer));
      input.leaves[places[idx].chunk_idx] = format::LeafHash(buffer.first(got));
      return got;
    };
    work.consume = [&](uint64_t idx, std::span<const uint8_t> bytes) -> Result<void> {
      whole[places[idx].file_idx].Update(bytes);
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

  // The manifest and its signatures, checked as an importer would check them.
  Result<void> Sign() {
    const trust::SignedRoot root = TRY(trust::ParseRoot(options_.root_text));
    manifest_.id = options_.id;
    manifest_.version = options_.version;
    manifest_.release_seq = options_.release_seq;
    for (const Input& input : inputs_) manifest_.files.push_back(input.entry);
    for (const Input& input : documents_) manifest_.documents.push_back(input.entry);
    manifest_.roots.push_back({root.root.version, options_.root_text.size(),
                               Sha256::Of(std::string_view(options_.root_text))});
    std::set<trust::KeyId> revoked;
    if (!options_.revocations_text.empty()) {
      const trust::Revocations list =
          TRY(trust::ParseRevocations(root.root, options_.revocations_text));
      revoked = list.keys;
      manifest_.revocations =
          format::BlobEntry{options_.revocations_text.size(),
                            Sha256::Of(std::string_view(options_.revocations_text))};
    }
    manifest_text_ = TRY(format::SerializeManifest(manifest_));
    std::vector<trust::Signature> signatures;
    for (const SecretKey& key : keys_) {
      signatures.push_back(key.Sign(format::kManifestType, manifest_text_));
    }
    TRY(trust::CheckSignatures(root.root, trust::RoleName::kRelease, signatures,
                               format::kManifestType, manifest_text_, revoked)
            .WithContext("an appliance with this trust root would refuse the bundle"));
    signatures_text_ = trust::SerializeSignatures(std::move(signatures));
    root_version_ = root.root.version;
    return {};
  }

  // Second pass: the archive, while every chunk is compared with the first pass.
  Result<uint64_t> Write(File& output) {
    TRY(Member(output, format::kFormatName, format::kFormatText));
    TRY(Member(output, format::kManifestName, manifest_text_));
    TRY(Member(output, format::kSignaturesName, signatures_text_));
    TRY(Member(output, format::RootName(root_version_), options_.root_text));
    if (manifest_.revocations) {
      TRY(Member(output, format::kRevocationsName, options_.revocations_text));
    }
    for (size_t i = 0; i < inputs_.size(); ++i) {
      std::string leaves;
      for (const Sha256Digest& leaf : inputs_[i].leaves) leaves.append(AsText(leaf.bytes));
      TRY(Member(output, format::TreeName(i), leaves));
    }
    for (size_t i = 0; i < documents_.size(); ++i) {
      std::vector<uint8_t> bytes(documents_[i].entry.size);
      if (!bytes.empty()) TRY(ReadChunk(documents_[i], 0, bytes));
      if (!bytes.empty() && format::LeafHash(bytes) != documents_[i].entry.root) {
        return Changed(documents_[i]);
      }
      TRY(Member(output, format::DocumentName(i), AsText(bytes)));
    }
    TRY(WriteData(output));
    TRY(Put(output, std::string(format::kTarEndBytes, '\0')));
    TRY(output.Sync());
    return written_bytes_;
  }

  std::vector<Input>& inputs() { return inputs_; }
  std::vector<Input>& documents() { return documents_; }
  const format::Manifest& manifest() const { return manifest_; }
  Sha256Digest digest() const { return Sha256::Of(std::string_view(manifest_text_)); }

 private:
  format::ChunkWork Work(const std::vector<Input>& inputs,
                         const std::vector<ChunkPlace>& places) const {
    format::ChunkWork work;
    work.count = places.size();
    work.buffer_bytes = LargestChunk(inputs);
    work.threads = threads_;
    return work;
  }

  Result<void> WriteData(File& output) {
    const std::vector<ChunkPlace> places = Places(inputs_);
    size_t next_file = 0;  // whose header is not written yet
    // Headers of `idx` and of the empty files before it.
    auto headers_up_to = [&](size_t count) -> Result<void> {
      for (; next_file < count; ++next_file) {
        TRY(Put(output,
                format::TarHeader(format::DataName(next_file), inputs_[next_file].entry.size)));
      }
      return {};
    };
    format::ChunkWork work = Work(inputs_, places);
    work.produce = [&](uint64_t idx, std::span<uint8_t> buffer) -> Result<size_t> {
      const Input& input = inputs_[places[idx].file_idx];
      const size_t got = TRY(ReadChunk(input, places[idx].chunk_idx, buffer));
      if (format::LeafHash(buffer.first(got)) != input.leaves[places[idx].chunk_idx]) {
        return Changed(input);
      }
      return got;
    };
    work.consume = [&](uint64_t idx, std::span<const uint8_t> bytes) -> Result<void> {
      const Input& input = inputs_[places[idx].file_idx];
      TRY(headers_up_to(places[idx].file_idx + 1));
      TRY(output.Append(bytes));
      written_bytes_ += bytes.size();
      Report(bytes.size());
      if (places[idx].chunk_idx + 1 < input.leaves.size()) return {};
      return Put(output, std::string(format::TarPaddingBytes(input.entry.size), '\0'));
    };
    TRY(format::RunChunks(work));
    return headers_up_to(inputs_.size());
  }

  Result<void> Put(File& output, std::string_view bytes) {
    written_bytes_ += bytes.size();
    return output.Append(AsBytes(bytes));
  }

  Result<void> Member(File& output, std::string_view name, std::string_view content) {
    std::string bytes = format::TarHeader(name, content.size());
    bytes.append(content);
    bytes.append(format::TarPaddingBytes(content.size()), '\0');
    return Put(output, bytes);
  }

  void Report(uint64_t bytes) {
    done_bytes_ += bytes;
    if (options_.progress) options_.progress(done_bytes_, total_bytes_);
  }

  const CreateOptions& options_;
  const std::span<const SecretKey> keys_;
  const unsigned threads_;
  std::vector<Input> inputs_;
  std::vector<Input> documents_;
  format::Manifest manifest_;
  std::string manifest_text_;
  std::string signatures_text_;
  uint64_t root_version_ = 0;
  uint64_t total_bytes_ = 0;
  uint64_t done_bytes_ = 0;
  uint64_t written_bytes_ = 0;
};

Result<inspect::ModelFormat> Inspect(FileSystem& files, const Source& source) {
  inspect::ModelFiles model;
  for (const SourceFile& file : source.files) model.names.push_back(file.name);
  model.open = [&](const std::string& name) -> Result<std::unique_ptr<File>> {
    const auto found = std::find_if(source.files.begin(), source.files.end(),
                                    [&](const SourceFile& file) { return file.name == name; });
    return files.OpenRead(found->path);
  };
  return inspect::InspectModel(model);
}

// Documents may be anything that can be read without running it.
Result<void> CheckDocument(const Input& document) {
  const FileEntry& entry = document.entry;
  if (entry.size > format::kMaxDocumentBytes) {
    return Error(ErrorCode::kExhausted, "document " + Quote(entry.name) + " is larger than 4 MiB");
  }
  std::vector<uint8_t> head(std::min<uint64_t>(entry.size, inspect::kHeadBytes));
  const size_t got = TRY(document.file->ReadAt(0, head));
  head.resize(got);
  return inspect::CheckContent(entry.name, head, entry.size <= inspect::kHeadBytes);
}

Result<void> CheckNames(const std::vector<SourceFile>& sources) {
  std::vector<std::string_view> names;
  for (const SourceFile& source : sources) names.push_back(source.name);
  return format::CheckFileNames(names);
}

}  // namespace

Result<Created> CreateBundle(FileSystem& source_files, const Source& source,
                             const CreateOptions& options, std::span<const SecretKey> keys,
                             FileSystem& output_files, const std::string& output_path) {
  TRY(format::CheckModelId(options.id));
  TRY(format::CheckVersion(options.version));
  TRY(CheckNames(source.files));
  TRY(CheckNames(options.documents));
  Created created;
  created.model_format = TRY(Inspect(source_files, source));
  Creator creator(options, keys);
  TRY(creator.Open(source_files, source.files));
  for (const Input& document : creator.documents()) TRY(CheckDocument(document));
  TRY(creator.Hash(creator.inputs()));
  TRY(creator.Hash(creator.documents()));
  TRY(creator.Sign());

  const std::string temporary = output_path + ".new";
  if (output_files.Exists(temporary)) TRY(output_files.Remove(temporary));
  auto write = [&]() -> Result<void> {
    const std::unique_ptr<File> output = TRY(output_files.Create(temporary, 0644));
    created.bundle_bytes = TRY(creator.Write(*output));
    TRY(output_files.Rename(temporary, output_path));
    return output_files.SyncDirectory(ParentDirectory(output_path));
  };
  const Result<void> written = write();
  if (!written) {
    (void)output_files.Remove(temporary);
    return written.error();
  }
  created.digest = creator.digest();
  created.manifest = creator.manifest();
  return created;
}

}  // namespace skerry::build
