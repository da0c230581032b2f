// Reading a bundle, in two states. An UnverifiedBundle has nothing that may be used; only a
// VerifiedBundle gives out names and data, and every byte of data only after its hash was compared.
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
#include "bundler/format/manifest.h"
#include "bundler/trust/trust_store.h"

namespace skerry::import {

class VerifiedBundle;

// Takes what a bundle holds, in order: documents, then each file from its beginning to its end.
// Calls never overlap. An error ends the reading and becomes its result.
class BundleSink {
 public:
  virtual ~BundleSink() = default;
  virtual Result<void> Document(size_t document_idx, std::span<const uint8_t> content) = 0;
  virtual Result<void> BeginFile(size_t file_idx) = 0;
  virtual Result<void> FileBytes(size_t file_idx, std::span<const uint8_t> bytes) = 0;
  virtual Result<void> EndFile(size_t file_idx) = 0;
};

struct ReadOptions {
  unsigned threads = 0;  // 0: one per core
  // Called after every chunk with bytes of the files' data.
  std::function<void(uint64_t done_bytes, uint64_t total_bytes)> progress;
};

// FORMAT, manifest, signatures, roots and revocations: nothing else is read before Verify.
class UnverifiedBundle {
 public:
  // `file` must outlive this object and what Verify makes of it. kCorrupt when it is not a bundle.
  static Result<UnverifiedBundle> Open(const File& file);

  // kUntrusted when the signatures do not hold under `trust` (or a root that follows it and travels
  // along), or when the bundle or a signer is revoked; kCorrupt when the archive is not the one
  // that the manifest describes.
  Result<VerifiedBundle> Verify(const trust::TrustState& trust) &&;

  // What the bundle says of itself, for a person to look at and for nothing else: anybody can have
  // written it.
  struct Claims {
    format::Manifest manifest;
    Sha256Digest digest;
    std::vector<trust::KeyId> signers;
  };
  Result<Claims> ReadClaims() const;

 private:
  friend class VerifiedBundle;
  struct Root {
    uint64_t version = 0;
    std::string text;
  };

  UnverifiedBundle() = default;

  const File* file_ = nullptr;
  uint64_t size_ = 0;
  uint64_t end_of_head_ = 0;  // where the members begin that the manifest describes
  std::string manifest_text_;
  std::string signatures_text_;
  std::vector<Root> roots_;
  std::optional<std::string> revocations_text_;
};

class VerifiedBundle {
 public:
  const format::Manifest& manifest() const { return manifest_; }
  const std::string& manifest_text() const { return head_.manifest_text_; }
  const std::string& signatures_text() const { return head_.signatures_text_; }
  Sha256Digest digest() const;  // of the manifest: the bundle's name in a store
  Sha256Digest model_digest() const { return format::ModelDigest(manifest_); }
  const std::vector<trust::KeyId>& signers() const { return signers_; }
  uint64_t root_version() const { return root_version_; }  // that the signers were checked against
  uint64_t bundle_bytes() const { return head_.size_; }

  // Reads everything that follows, once, and gives it to `sink` when its hash holds. kCorrupt,
  // naming file and place, for any bit that is not as signed.
  Result<void> Read(BundleSink& sink, const ReadOptions& options = {}) const;

  // The bytes of one file as a File, for looking into it; not hashed again.
  std::unique_ptr<File> OpenFile(size_t file_idx) const;

 private:
  friend class UnverifiedBundle;
  explicit VerifiedBundle(UnverifiedBundle head) : head_(std::move(head)) {}

  UnverifiedBundle head_;
  format::Manifest manifest_;
  std::vector<trust::KeyId> signers_;
  uint64_t root_version_ = 0;
};

}  // namespace skerry::import
