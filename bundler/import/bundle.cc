#include "bundler/import/bundle.h"

#include <algorithm>
#include <array>

#include "appliance/base/encode.h"
#include "bundler/format/chunks.h"
#include "bundler/format/layout.h"
#include "bundler/format/names.h"
#include "bundler/format/tar.h"
#include "bundler/format/tree.h"

namespace skerry::import {

namespace {

using format::kTarBlockBytes;
using format::Quote;

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

Result<std::string> ReadText(const File& file, uint64_t offset, uint64_t size) {
  std::string text(size, '\0');
  const size_t got =
      TRY(file.ReadAt(offset, {reinterpret_cast<uint8_t*>(text.data()), text.size()}));
  if (got != size) return Bad("the bundle is truncated");
  return text;
}

bool AllZero(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

// A forward reader of whole members.
class MemberReader {
 public:
  MemberReader(const File& file, uint64_t position) : file_(file), position_(position) {}

  uint64_t position() const { return position_; }

  // The name of the next member, not checked.
  Result<std::string> ClaimedName() const {
    const std::string block = TRY(ReadText(file_, position_, kTarBlockBytes));
    return std::string(format::TarClaimedName(AsBytes(block).first<kTarBlockBytes>()));
  }

  // The next member, which must be `name` and may have up to `max_bytes`.
  Result<std::string> Next(std::string_view name, uint64_t max_bytes) {
    const std::string block = TRY(ReadText(file_, position_, kTarBlockBytes));
    const uint64_t size =
        TRY(format::TarExpectedSize(AsBytes(block).first<kTarBlockBytes>(), name, max_bytes));
    return Content(name, size, kTarBlockBytes);
  }

  // The next member, which must be `name` with `size` bytes.
  Result<std::string> Exactly(std::string_view name, uint64_t size) {
    const std::string wanted = format::TarHeader(name, size);
    const std::string header = TRY(ReadText(file_, position_, wanted.size()));
    if (header != wanted) {
      return Bad("the header of '" + std::string(name) + "' is not the one that a bundle has");
    }
    return Content(name, size, wanted.size());
  }

 private:
  Result<std::string> Content(std::string_view name, uint64_t size, uint64_t header_bytes) {
    const uint64_t padding = format::TarPaddingBytes(size);
    std::string content = TRY(ReadText(file_, position_ + header_bytes, size + padding));
    if (!AllZero(AsBytes(content).subspan(size))) {
      return Bad("the padding after '" + std::string(name) + "' is not zero");
    }
    content.resize(size);
    position_ += header_bytes + size + padding;
    return content;
  }

  const File& file_;
  uint64_t position_;
};

Result<uint64_t> RootVersion(const std::string& name) {
  const std::string digits = name.substr(format::kRootPrefix.size());
  if (digits.empty() || digits.size() > 7 || digits[0] == '0' ||
      digits.find_first_not_of("0123456789") != std::string::npos) {
    return Bad("member " + Quote(name) + " has no root version");
  }
  return static_cast<uint64_t>(std::stoull(digits));
}

uint64_t LeafBytes(const format::FileEntry& entry) {
  return format::ChunkCount(entry.size) * sizeof(Sha256Digest::bytes);
}

// The one length that an archive with this manifest has, from the end of its head on.
uint64_t RestBytes(const format::Manifest& manifest) {
  uint64_t total = format::kTarEndBytes;
  for (const format::FileEntry& entry : manifest.files) {
    total += format::TarMemberBytes(LeafBytes(entry)) + format::TarMemberBytes(entry.size);
  }
  for (const format::FileEntry& entry : manifest.documents) {
    total += format::TarMemberBytes(entry.size);
  }
  return total;
}

// Where the data of `file_idx` begins, with its header before it.
uint64_t DataOffset(const format::Manifest& manifest, uint64_t end_of_head, size_t file_idx) {
  uint64_t offset = end_of_head;
  for (const format::FileEntry& entry : manifest.files) {
    offset += format::TarMemberBytes(LeafBytes(entry));
  }
  for (const format::FileEntry& entry : manifest.documents) {
    offset += format::TarMemberBytes(entry.size);
  }
  for (size_t i = 0; i < file_idx; ++i) offset += format::TarMemberBytes(manifest.files[i].size);
  return offset + format::TarHeaderBytes(manifest.files[file_idx].size);
}

// One read of the archive: a chunk, with the file's header before the first one and the padding
// after the last one. An empty file is one step of its own.
struct Step {
  size_t file_idx = 0;
  uint64_t chunk_idx = 0;
  uint64_t offset = 0;
  size_t header_bytes = 0;
  size_t data_bytes = 0;
  size_t padding_bytes = 0;
  bool last = false;
};

// Reads the files' data: everything after trees and documents.
class DataReader {
 public:
  DataReader(const File& file, const format::Manifest& manifest,
             const std::vector<std::vector<Sha256Digest>>& leaves, uint64_t offset)
      : file_(file), manifest_(manifest), leaves_(leaves) {
    for (const format::FileEntry& entry : manifest.files) {
      places_.push_back({step_count_, offset});
      step_count_ += std::max<uint64_t>(1, format::ChunkCount(entry.size));
      offset += format::TarMemberBytes(entry.size);
      const size_t chunk =
          format::ChunkCount(entry.size) == 0 ? 0 : format::ChunkSize(entry.size, 0);
      largest_ = std::max<size_t>(
          largest_, format::TarHeaderBytes(entry.size) + chunk + format::kTarBlockBytes);
    }
  }

  Result<void> Read(BundleSink& sink, const ReadOptions& options) {
    uint64_t done_bytes = 0;
    const uint64_t total_bytes = manifest_.DataBytes();
    format::ChunkWork work;
    work.count = step_count_;
    work.buffer_bytes = largest_;
    work.threads = options.threads == 0 ? format::DefaultThreads() : options.threads;
    work.produce = [this](uint64_t idx, std::span<uint8_t> buffer) {
      return Check(At(idx), buffer);
    };
    work.consume = [&](uint64_t idx, std::span<const uint8_t> bytes) -> Result<void> {
      const Step step = At(idx);
      if (step.chunk_idx == 0) TRY(sink.BeginFile(step.file_idx));
      TRY(sink.FileBytes(step.file_idx, bytes.subspan(step.header_bytes, step.data_bytes)));
      if (step.last) TRY(sink.EndFile(step.file_idx));
      done_bytes += step.data_bytes;
      if (options.progress) options.progress(done_bytes, total_bytes);
      return {};
    };
    return format::RunChunks(work);
  }

 private:
  struct Place {
    uint64_t first_step;
    uint64_t offset;  // of the header
  };

  Step At(uint64_t step_idx) const {
    const auto after =
        std::upper_bound(places_.begin(), places_.end(), step_idx,
                         [](uint64_t idx, const Place& place) { return idx < place.first_step; });
    const Place& place = *std::prev(after);
    Step step;
    step.file_idx = static_cast<size_t>(std::prev(after) - places_.begin());
    step.chunk_idx = step_idx - place.first_step;
    const uint64_t size = manifest_.files[step.file_idx].size;
    const uint64_t header = format::TarHeaderBytes(size);
    const uint64_t chunks = format::ChunkCount(size);
    step.last = step.chunk_idx + 1 >= chunks;
    if (step.chunk_idx == 0) step.header_bytes = static_cast<size_t>(header);
    step.offset =
        place.offset + (step.chunk_idx == 0 ? 0 : header + step.chunk_idx * format::kChunkBytes);
    if (chunks > 0) step.data_bytes = format::ChunkSize(size, step.chunk_idx);
    if (step.last) step.padding_bytes = static_cast<size_t>(format::TarPaddingBytes(size));
    return step;
  }

  Result<size_t> Check(const Step& step, std::span<uint8_t> buffer) const {
    const format::FileEntry& entry = manifest_.files[step.file_idx];
    const size_t wanted = step.header_bytes + step.data_bytes + step.padding_bytes;
    const size_t got = TRY(file_.ReadAt(step.offset, buffer.first(wanted)));
    const std::string name = "file " + Quote(entry.name);
    if (got != wanted) return Bad(name + ": the bundle is truncated");
    const std::span<const uint8_t> bytes = buffer.first(wanted);
    if (step.header_bytes > 0 &&
        AsText(bytes.first(step.header_bytes)) !=
            format::TarHeader(format::DataName(step.file_idx), entry.size)) {
      return Bad(name + ": its header is not the one that a bundle has");
    }
    if (!AllZero(bytes.last(step.padding_bytes))) {
      return Bad(name + ": the padding after it is not zero");
    }
    const auto& leaves = leaves_[step.file_idx];
    if (step.data_bytes > 0 && format::LeafHash(bytes.subspan(
                                   step.header_bytes, step.data_bytes)) != leaves[step.chunk_idx]) {
      return Bad(name + " is damaged: its chunk " + std::to_string(step.chunk_idx + 1) + " of " +
                 std::to_string(leaves.size()) +
                 " is not as signed; copy the bundle again and compare the medium");
    }
    return wanted;
  }

  const File& file_;
  const format::Manifest& manifest_;
  const std::vector<std::vector<Sha256Digest>>& leaves_;
  std::vector<Place> places_;  // one per file
  uint64_t step_count_ = 0;
  size_t largest_ = 0;
};

Result<std::vector<Sha256Digest>> ReadTree(MemberReader& members, const format::FileEntry& entry,
                                           size_t file_idx) {
  const std::string bytes = TRY(members.Exactly(format::TreeName(file_idx), LeafBytes(entry)));
  std::vector<Sha256Digest> leaves(format::ChunkCount(entry.size));
  for (size_t i = 0; i < leaves.size(); ++i) {
    std::copy_n(AsBytes(bytes).begin() + static_cast<ptrdiff_t>(i * leaves[i].bytes.size()),
                leaves[i].bytes.size(), leaves[i].bytes.begin());
  }
  if (format::TreeRoot(leaves) != entry.root) {
    return Bad("file " + Quote(entry.name) + ": its hash tree is not as signed");
  }
  return leaves;
}

}  // namespace

Result<UnverifiedBundle> UnverifiedBundle::Open(const File& file) {
  UnverifiedBundle bundle;
  bundle.file_ = &file;
  bundle.size_ = TRY(file.Size());
  if (bundle.size_ < kTarBlockBytes) return Bad("too short to be a bundle");
  MemberReader members(file, 0);
  const Result<std::string> format_text =
      members.Exactly(format::kFormatName, format::kFormatText.size());
  if (!format_text && format_text.error().code() != ErrorCode::kCorrupt) return format_text.error();
  if (!format_text || *format_text != format::kFormatText) {
    return Bad("not a bundle of version 1 (or its first bytes are damaged)");
  }
  bundle.manifest_text_ = TRY(members.Next(format::kManifestName, format::kMaxManifestBytes));
  bundle.signatures_text_ = TRY(members.Next(format::kSignaturesName, format::kMaxSignaturesBytes));
  for (;;) {
    const std::string name = TRY(members.ClaimedName());
    if (!name.starts_with(format::kRootPrefix)) break;
    if (bundle.roots_.size() == format::kMaxRoots) return Bad("more than 64 trust roots");
    Root root;
    root.version = TRY(RootVersion(name));
    root.text = TRY(members.Next(format::RootName(root.version), format::kMaxRootBytes));
    bundle.roots_.push_back(std::move(root));
  }
  const std::string name = TRY(members.ClaimedName());
  if (name == format::kRevocationsName) {
    bundle.revocations_text_ =
        TRY(members.Next(format::kRevocationsName, format::kMaxRevocationsBytes));
  }
  bundle.end_of_head_ = members.position();
  return bundle;
}

Result<UnverifiedBundle::Claims> UnverifiedBundle::ReadClaims() const {
  Claims claims;
  claims.manifest = TRY(format::ParseManifest(manifest_text_));
  claims.digest = Sha256::Of(std::string_view(manifest_text_));
  const std::vector<trust::Signature> signatures =
      TRY(trust::ParseSignatures(signatures_text_, format::kMaxSignaturesBytes));
  for (const trust::Signature& signature : signatures) claims.signers.push_back(signature.key_id);
  return claims;
}

Result<VerifiedBundle> UnverifiedBundle::Verify(const trust::TrustState& trust) && {
  // The newest root that follows the accepted one, step by step.
  trust::SignedRoot root = trust.root;
  for (const Root& next : roots_) {
    if (next.version <= root.root.version) continue;
    root = TRY(trust::ParseSuccessor(root, next.text));
  }
  trust::Revocations revocations = trust.revocations;
  if (revocations_text_) {
    trust::Revocations list = TRY(trust::ParseRevocations(root.root, *revocations_text_));
    if (list.sequence > revocations.sequence) revocations = std::move(list);
  }
  const std::vector<trust::Signature> signatures =
      TRY(trust::ParseSignatures(signatures_text_, format::kMaxSignaturesBytes));
  VerifiedBundle bundle(std::move(*this));
  const UnverifiedBundle& head = bundle.head_;
  bundle.signers_ =
      TRY(trust::CheckSignatures(root.root, trust::RoleName::kRelease, signatures,
                                 format::kManifestType, head.manifest_text_, revocations.keys));
  bundle.root_version_ = root.root.version;
  bundle.manifest_ = TRY(format::ParseManifest(head.manifest_text_));
  const format::Manifest& manifest = bundle.manifest_;

  // What was read before the signatures held must be what was signed.
  bool same = manifest.roots.size() == head.roots_.size() &&
              manifest.revocations.has_value() == head.revocations_text_.has_value();
  for (size_t i = 0; same && i < head.roots_.size(); ++i) {
    same = manifest.roots[i].version == head.roots_[i].version &&
           manifest.roots[i].size == head.roots_[i].text.size() &&
           manifest.roots[i].sha256 == Sha256::Of(std::string_view(head.roots_[i].text));
  }
  if (same && head.revocations_text_) {
    same = manifest.revocations->size == head.revocations_text_->size() &&
           manifest.revocations->sha256 == Sha256::Of(std::string_view(*head.revocations_text_));
  }
  if (!same) return Bad("trust roots or revocations are not those that the manifest names");
  if (revocations.bundles.contains(bundle.digest()) ||
      revocations.models.contains(bundle.model_digest())) {
    return Error(ErrorCode::kUntrusted, "bundle " + Quote(manifest.id) + " " + manifest.version +
                                            " is revoked (revocation list " +
                                            std::to_string(revocations.sequence) + ")");
  }
  const uint64_t wanted = head.end_of_head_ + RestBytes(manifest);
  if (head.size_ != wanted) {
    return Bad("the bundle has " + std::to_string(head.size_) + " bytes instead of " +
               std::to_string(wanted) +
               (head.size_ < wanted ? ": it is truncated" : ": something was appended"));
  }
  return bundle;
}

Sha256Digest VerifiedBundle::digest() const {
  return Sha256::Of(std::string_view(head_.manifest_text_));
}

Result<void> VerifiedBundle::Read(BundleSink& sink, const ReadOptions& options) const {
  MemberReader members(*head_.file_, head_.end_of_head_);
  std::vector<std::vector<Sha256Digest>> leaves;
  for (size_t i = 0; i < manifest_.files.size(); ++i) {
    std::vector<Sha256Digest> tree = TRY(ReadTree(members, manifest_.files[i], i));
    leaves.push_back(std::move(tree));
  }
  for (size_t i = 0; i < manifest_.documents.size(); ++i) {
    const format::FileEntry& entry = manifest_.documents[i];
    const std::string content = TRY(members.Exactly(format::DocumentName(i), entry.size));
    const Sha256Digest root =
        entry.size == 0 ? format::TreeRoot({}) : format::LeafHash(AsBytes(content));
    if (root != entry.root) return Bad("document " + Quote(entry.name) + " is damaged");
    TRY(sink.Document(i, AsBytes(content)));
  }
  TRY(DataReader(*head_.file_, manifest_, leaves, members.position()).Read(sink, options));
  const std::string end =
      TRY(ReadText(*head_.file_, head_.size_ - format::kTarEndBytes, format::kTarEndBytes));
  if (!AllZero(AsBytes(end))) return Bad("the end of the archive is not zero");
  return {};
}

namespace {

// A range of a bundle as a read-only file.
class SliceFile : public File {
 public:
  SliceFile(const File& file, uint64_t offset, uint64_t size)
      : file_(file), offset_(offset), size_(size) {}

  Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    if (offset >= size_) return size_t{0};
    const size_t count = std::min<uint64_t>(out.size(), size_ - offset);
    return file_.ReadAt(offset_ + offset, out.first(count));
  }
  Result<uint64_t> Size() const override { return size_; }
  Result<void> Append(std::span<const uint8_t>) override { return ReadOnly(); }
  Result<void> Sync() override { return ReadOnly(); }
  Result<void> Truncate(uint64_t) override { return ReadOnly(); }

 private:
  static Error ReadOnly() { return Error(ErrorCode::kInternal, "a bundle is never written"); }

  const File& file_;
  const uint64_t offset_;
  const uint64_t size_;
};

}  // namespace

std::unique_ptr<File> VerifiedBundle::OpenFile(size_t file_idx) const {
  return std::make_unique<SliceFile>(*head_.file_,
                                     DataOffset(manifest_, head_.end_of_head_, file_idx),
                                     manifest_.files[file_idx].size);
}

}  // namespace skerry::import
