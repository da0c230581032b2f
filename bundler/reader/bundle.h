// Reading one archive of a bundle (the whole bundle or one volume of it), in states that are types.
// An UnverifiedBundle has nothing that may be used. What came out of its Verify gives out names and
// data, and every byte of data only after its hash was compared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/format/archive_writer.h"
#include "bundler/format/chunk_map.h"
#include "bundler/format/manifest.h"
#include "bundler/format/volume.h"
#include "bundler/trust/trust_store.h"

namespace skerry::reader {

class BundleContents;
class SignableBundle;
class VerifiedBundle;

// FORMAT, manifest, signatures, roots and revocations: nothing else is read before Verify.
class UnverifiedBundle {
 public:
  // `file` must outlive this object and what Verify makes of it. kCorrupt when it is not a bundle.
  static Result<UnverifiedBundle> Open(const File& file);

  // kUntrusted when the signatures do not hold under `trust` (or a root that follows it and travels
  // along), or when the bundle or a signer is revoked; kCorrupt when the archive is not the one
  // that the manifest describes.
  Result<VerifiedBundle> Verify(const trust::TrustState& trust) &&;

  // For a further signer, who wants to see what he signs: as Verify, but too few signatures are no
  // reason to refuse. Those by listed keys must hold all the same. What comes out can be read and
  // not be installed.
  Result<SignableBundle> VerifyForSigning(const trust::TrustState& trust) &&;

  // What the bundle says of itself, for a person to look at and for nothing else: anybody can have
  // written it.
  struct Claims {
    format::Manifest manifest;
    Sha256Digest digest;
    std::vector<trust::KeyId> signers;
    std::optional<format::Volume> volume;
    uint64_t volume_count = 1;
  };
  Result<Claims> ReadClaims() const;

 private:
  struct Checked;

  UnverifiedBundle() = default;
  Result<Checked> Check(const trust::TrustState& trust, bool threshold_counts) const;
  Result<BundleContents> Contents(Checked checked) &&;

  const File* file_ = nullptr;
  uint64_t size_ = 0;
  uint64_t end_of_head_ = 0;  // where meta/volume or the first tree begins
  format::ArchiveHead head_;
};

// The leaf hashes of all files, by chunk number; read and checked by BundleContents::ReadHashes.
// Every volume of a bundle has the same. 32 bytes per chunk.
class ChunkHashes {
 public:
  // The leaf hashes of one file, none for an empty one.
  std::span<const Sha256Digest> OfFile(size_t file_idx) const;
  // Whether `bytes` are those of `chunk`.
  bool Holds(uint64_t chunk, std::span<const uint8_t> bytes) const;

 private:
  friend class BundleContents;
  Sha256Digest bundle_;
  format::ChunkMap map_;
  std::vector<Sha256Digest> leaves_;  // an empty file's chunk has one that is not used
};

// Smallest buffer for CheckChunk; hashing goes in pieces of this size, which stay in the cache.
inline constexpr size_t kPieceBytes = 128 << 10;

// What a bundle holds, of which the manifest was signed (by whom: the derived types), and how to
// read it. Const functions are thread-safe as far as the file's ReadAt is.
//
// Every byte of the archive was checked after: Verify, ReadHashes, ReadDocuments, ReadChunk (or
// CheckChunk) of all chunks(), CheckEnd. Read does all of it.
class BundleContents {
 public:
  const format::Manifest& manifest() const { return common_->manifest; }
  const format::ChunkMap& map() const { return common_->map; }
  // As received.
  const std::string& manifest_text() const { return common_->manifest_text; }
  const std::string& signatures_text() const { return signatures_text_; }  // the member: padded
  const std::vector<format::RootText>& roots() const { return common_->roots; }
  const std::optional<std::string>& revocations_text() const { return common_->revocations_text; }

  Sha256Digest digest() const { return common_->digest; }  // the bundle's name in a store
  Sha256Digest model_digest() const { return common_->model_digest; }
  // Keys that signed and counted for the release role; ascending.
  const std::vector<trust::KeyId>& signers() const { return signers_; }
  // What the signers were checked against.
  uint64_t root_version() const { return root_version_; }
  const trust::Role& release_role() const { return release_role_; }

  uint64_t bundle_bytes() const { return size_; }  // of this archive
  // Which part this archive is; none: the whole bundle.
  const std::optional<format::Volume>& volume() const { return volume_; }
  uint64_t volume_count() const;  // 1 for a whole bundle
  // The chunks that this archive has.
  format::ChunkRange chunks() const { return layout_.chunks(); }
  uint64_t data_bytes() const { return layout_.data_bytes(); }  // of them

  // Reads and checks the hash trees. kCorrupt naming the file.
  Result<ChunkHashes> ReadHashes() const;

  // Reads the documents in order and gives each to `take` after it was checked.
  Result<void> ReadDocuments(
      const std::function<Result<void>(size_t document_idx, std::span<const uint8_t> content)>&
          take) const;

  // Reads a chunk of chunks() into the first bytes of `buffer`, which must have room for it, and
  // compares its hash; also the header before it and the padding after it, where it is the first or
  // the last of its member. Returns its length. kCorrupt naming file and place: copy again.
  // `hashes` must be those of this bundle.
  Result<size_t> ReadChunk(uint64_t chunk, const ChunkHashes& hashes,
                           std::span<uint8_t> buffer) const;
  // The same without keeping the bytes: `scratch` has at least kPieceBytes, whatever the chunk.
  Result<void> CheckChunk(uint64_t chunk, const ChunkHashes& hashes,
                          std::span<uint8_t> scratch) const;

  // The zeros at the end of the archive.
  Result<void> CheckEnd() const;
  // All headers and paddings of the data, and the end: for a reader that does not read all chunks.
  Result<void> CheckFraming() const;

  struct ReadOptions {
    unsigned threads = 0;  // 0: one per core
    // Called after every chunk, never twice at once, with bytes of the files' data.
    std::function<void(uint64_t done_bytes, uint64_t total_bytes)> progress;
  };
  // Reads every byte that is not read yet and checks it. Memory: threads x kPieceBytes, the hashes
  // and one document.
  Result<void> Read(const ReadOptions& options) const;

  // The bytes of this archive's chunks of one file, from `offset` (a place in the file) on, not
  // hashed again; up to the end of the member. Nothing where it has none.
  Result<size_t> ReadUnchecked(size_t file_idx, uint64_t offset, std::span<uint8_t> out) const;

 protected:
  BundleContents() = default;

 private:
  friend class UnverifiedBundle;
  template <typename Bundle>
  friend class VolumeSetOf;

  // Shared, because all volumes of a bundle have the same, and a set of 1000 needs it once.
  struct Common {
    format::Manifest manifest;
    format::ChunkMap map;
    std::string manifest_text;
    std::vector<format::RootText> roots;
    std::optional<std::string> revocations_text;
    Sha256Digest digest;
    Sha256Digest model_digest;
  };

  Result<void> CheckHeader(const format::DataMember& member) const;
  Result<void> CheckPadding(const format::DataMember& member) const;
  Result<void> ReadPieces(uint64_t chunk, const ChunkHashes& hashes, std::span<uint8_t> buffer,
                          bool keep) const;
  std::string FileName(size_t file_idx) const;

  const File* file_ = nullptr;
  uint64_t size_ = 0;
  uint64_t trees_at_ = 0;  // where the first tree begins
  uint64_t documents_at_ = 0;
  uint64_t data_at_ = 0;
  std::string signatures_text_;
  std::optional<format::Volume> volume_;
  format::DataLayout layout_;
  std::vector<trust::KeyId> signers_;
  uint64_t root_version_ = 0;
  trust::Role release_role_;
  std::shared_ptr<const Common> common_;
};

// Enough signatures hold: may be installed.
class VerifiedBundle : public BundleContents {
 private:
  friend class UnverifiedBundle;
  explicit VerifiedBundle(BundleContents contents) : BundleContents(std::move(contents)) {}
};

// Perhaps fewer signatures than the release role needs: may be read, for example to sign it.
class SignableBundle : public BundleContents {
 public:
  bool HasEnoughSignatures() const { return signers().size() >= release_role().threshold; }

 private:
  friend class UnverifiedBundle;
  explicit SignableBundle(BundleContents contents) : BundleContents(std::move(contents)) {}
};

using ReadOptions = BundleContents::ReadOptions;

}  // namespace skerry::reader
