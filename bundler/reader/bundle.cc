#include "bundler/reader/bundle.h"

#include <algorithm>
#include <mutex>

#include "appliance/base/encode.h"
#include "bundler/format/chunks.h"
#include "bundler/format/layout.h"
#include "bundler/format/names.h"
#include "bundler/format/tar.h"
#include "bundler/format/tree.h"
#include "bundler/reader/internal/members.h"

namespace skerry::reader {

namespace {

using format::Quote;

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

uint64_t LeafBytes(const format::FileEntry& entry) {
  return format::ChunkCount(entry.size) * sizeof(Sha256Digest::bytes);
}

}  // namespace

std::span<const Sha256Digest> ChunkHashes::OfFile(size_t file_idx) const {
  const format::ChunkRange range = map_.Of(file_idx);
  if (map_.At(range.first).size == 0) return {};
  return std::span(leaves_).subspan(range.first, range.count());
}

bool ChunkHashes::Holds(uint64_t chunk, std::span<const uint8_t> bytes) const {
  if (chunk >= leaves_.size() || bytes.size() != map_.At(chunk).size) return false;
  return bytes.empty() || format::LeafHash(bytes) == leaves_[chunk];
}

uint64_t BundleContents::volume_count() const {
  return volume_ ? volume_->Count(map().count()) : 1;
}

std::string BundleContents::FileName(size_t file_idx) const {
  return "file " + Quote(manifest().files[file_idx].name);
}

Result<ChunkHashes> BundleContents::ReadHashes() const {
  ChunkHashes hashes;
  hashes.bundle_ = digest();
  hashes.map_ = map();
  hashes.leaves_.resize(map().count());
  MemberReader members(*file_, trees_at_);
  for (size_t i = 0; i < manifest().files.size(); ++i) {
    const format::FileEntry& entry = manifest().files[i];
    const std::string bytes = TRY(members.Exactly(format::TreeName(i), LeafBytes(entry)));
    Sha256Digest* leaf = hashes.leaves_.data() + map().Of(i).first;
    for (size_t at = 0; at < bytes.size(); at += leaf->bytes.size(), ++leaf) {
      std::copy_n(AsBytes(bytes).begin() + static_cast<ptrdiff_t>(at), leaf->bytes.size(),
                  leaf->bytes.begin());
    }
    if (format::TreeRoot(hashes.OfFile(i)) != entry.root) {
      return Bad(FileName(i) + ": its hash tree is not as signed");
    }
  }
  return hashes;
}

Result<void> BundleContents::ReadDocuments(
    const std::function<Result<void>(size_t document_idx, std::span<const uint8_t> content)>& take)
    const {
  MemberReader members(*file_, documents_at_);
  for (size_t i = 0; i < manifest().documents.size(); ++i) {
    const format::FileEntry& entry = manifest().documents[i];
    const std::string content = TRY(members.Exactly(format::DocumentName(i), entry.size));
    const Sha256Digest root =
        entry.size == 0 ? format::TreeRoot({}) : format::LeafHash(AsBytes(content));
    if (root != entry.root) return Bad("document " + Quote(entry.name) + " is damaged");
    TRY(take(i, AsBytes(content)));
  }
  return {};
}

Result<void> BundleContents::CheckHeader(const format::DataMember& member) const {
  const std::string wanted = format::TarHeader(member.name, member.size);
  const std::string header = TRY(ReadText(*file_, data_at_ + member.offset, wanted.size())
                                     .WithContext(FileName(member.file_idx)));
  if (header == wanted) return {};
  return Bad(FileName(member.file_idx) + ": its header is not the one that a bundle has");
}

Result<void> BundleContents::CheckPadding(const format::DataMember& member) const {
  const uint64_t size = format::TarPaddingBytes(member.size);
  if (size == 0) return {};
  const uint64_t at = data_at_ + member.offset + format::TarHeaderBytes(member.size) + member.size;
  const std::string padding =
      TRY(ReadText(*file_, at, size).WithContext(FileName(member.file_idx)));
  if (AllZero(AsBytes(padding))) return {};
  return Bad(FileName(member.file_idx) + ": the padding after it is not zero");
}

Result<void> BundleContents::CheckEnd() const {
  const std::string end = TRY(ReadText(*file_, size_ - format::kTarEndBytes, format::kTarEndBytes));
  if (!AllZero(AsBytes(end))) return Bad("the end of the archive is not zero");
  return {};
}

Result<void> BundleContents::CheckFraming() const {
  for (const format::DataMember& member : layout_.members()) {
    TRY(CheckHeader(member));
    TRY(CheckPadding(member));
  }
  return CheckEnd();
}

// In pieces, so that what was read is still in the core's cache when it is hashed.
Result<void> BundleContents::ReadPieces(uint64_t chunk, const ChunkHashes& hashes,
                                        std::span<uint8_t> buffer, bool keep) const {
  const format::ChunkPlace place = map().At(chunk);
  const size_t room = keep ? place.size : std::min(place.size, kPieceBytes);
  if (!chunks().Contains(chunk) || buffer.size() < room || hashes.bundle_ != digest()) {
    return Error(ErrorCode::kInternal, "a chunk was asked for that cannot be read so");
  }
  const format::DataMember& member = layout_.MemberOf(chunk);
  if (chunk == member.chunks.first) TRY(CheckHeader(member));
  const uint64_t offset = data_at_ + layout_.OffsetOf(chunk);
  format::LeafHasher hasher;
  for (size_t done = 0; done < place.size;) {
    const std::span<uint8_t> piece =
        buffer.subspan(keep ? done : 0, std::min(kPieceBytes, place.size - done));
    const size_t got = TRY(file_->ReadAt(offset + done, piece));
    if (got != piece.size()) return Bad(FileName(place.file_idx) + ": the bundle is truncated");
    hasher.Update(piece);
    done += got;
  }
  if (place.size > 0 && hasher.Finish() != hashes.leaves_[chunk]) {
    return Bad(FileName(place.file_idx) + " is damaged: its chunk " +
               std::to_string(place.chunk_idx + 1) + " of " +
               std::to_string(map().Of(place.file_idx).count()) +
               " is not as signed; copy the bundle again and compare the medium");
  }
  return chunk + 1 == member.chunks.last ? CheckPadding(member) : Result<void>();
}

Result<size_t> BundleContents::ReadChunk(uint64_t chunk, const ChunkHashes& hashes,
                                         std::span<uint8_t> buffer) const {
  TRY(ReadPieces(chunk, hashes, buffer, /*keep=*/true));
  return map().At(chunk).size;
}

Result<void> BundleContents::CheckChunk(uint64_t chunk, const ChunkHashes& hashes,
                                        std::span<uint8_t> scratch) const {
  return ReadPieces(chunk, hashes, scratch, /*keep=*/false);
}

Result<void> BundleContents::Read(const ReadOptions& options) const {
  const ChunkHashes hashes = TRY(ReadHashes());
  TRY(ReadDocuments([](size_t, std::span<const uint8_t>) { return Result<void>(); }));
  std::mutex mu;
  uint64_t done_bytes = 0;
  format::ParallelWork work;
  work.count = chunks().count();
  work.buffer_bytes = kPieceBytes;
  work.threads = options.threads;
  work.run = [&](uint64_t idx, std::span<uint8_t> scratch) -> Result<void> {
    const uint64_t chunk = chunks().first + idx;
    TRY(CheckChunk(chunk, hashes, scratch));
    if (!options.progress) return {};
    const std::lock_guard lock(mu);
    done_bytes += map().At(chunk).size;
    options.progress(done_bytes, data_bytes());
    return {};
  };
  TRY(format::RunParallel(work));
  return CheckEnd();
}

Result<size_t> BundleContents::ReadUnchecked(size_t file_idx, uint64_t offset,
                                             std::span<uint8_t> out) const {
  const format::FileEntry& entry = manifest().files[file_idx];
  if (offset >= entry.size) return size_t{0};
  const uint64_t chunk = map().Of(file_idx).first + offset / format::kChunkBytes;
  if (!chunks().Contains(chunk)) return size_t{0};
  const format::DataMember& member = layout_.MemberOf(chunk);
  const uint64_t in_member = offset - map().At(member.chunks.first).offset;
  const size_t count = std::min<uint64_t>(out.size(), member.size - in_member);
  const uint64_t at = data_at_ + member.offset + format::TarHeaderBytes(member.size) + in_member;
  return file_->ReadAt(at, out.first(count));
}

}  // namespace skerry::reader
