// The archives of one bundle: all its volumes, some of them, or the whole bundle as the only one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/reader/bundle.h"

namespace skerry::reader {

// Of VerifiedBundles or of SignableBundles. Const functions are thread-safe as far as the files'
// ReadAt is.
template <typename Bundle>
class VolumeSetOf {
 public:
  struct Part {
    std::string name;  // of the file, for messages
    Bundle bundle;
  };
  enum class Added { kNew, kDuplicate };

  // Takes one more archive; a volume that is there already is kept among duplicates() and not used.
  // kInvalidArgument, naming both files, when it is one of another bundle or of another split, or
  // when a whole bundle and a volume come together.
  Result<Added> Add(std::string name, Bundle bundle);

  // By number of volume; what parts have in common, any of them tells. Not empty after an Add.
  const std::vector<Part>& parts() const { return parts_; }
  const std::vector<Part>& duplicates() const { return duplicates_; }

  // How many there should be: 1 for a whole bundle.
  uint64_t volume_count() const { return parts_.front().bundle.volume_count(); }
  std::vector<uint64_t> Missing() const;  // numbers, ascending
  bool IsComplete() const { return parts_.size() == volume_count(); }
  // "volume 2 of 5", "volumes 1, 3 to 5 of 5"; empty when none is missing.
  std::string DescribeMissing() const;
  // kNotFound naming the missing ones by number.
  Result<void> CheckComplete() const;

  // The part that has a chunk; null when it is missing.
  const Part* Find(uint64_t chunk) const;
  // BundleContents::ReadChunk of the part that has the chunk; errors quote that part's file.
  Result<size_t> ReadChunk(uint64_t chunk, const ChunkHashes& hashes,
                           std::span<uint8_t> buffer) const;

  // Says which volume a chunk would be in.
  Error MissingAt(uint64_t chunk) const;

  // A file of the bundle, read only, whatever volumes it lies in; not hashed again. The set must
  // outlive it. Reading what is missing fails with kNotFound.
  std::unique_ptr<File> OpenFile(size_t file_idx) const;
  // The same, but every byte only after the hash of its chunk was compared with `hashes`, which
  // must outlive it too: for looking into a bundle that was not read as a whole. kCorrupt naming
  // file and place. Memory: one chunk.
  std::unique_ptr<File> OpenChecked(size_t file_idx, const ChunkHashes& hashes) const;

 private:
  std::vector<Part> parts_;
  std::vector<Part> duplicates_;
};

using VolumeSet = VolumeSetOf<VerifiedBundle>;    // may be installed when complete
using SignableSet = VolumeSetOf<SignableBundle>;  // may only be looked at

// "volume 2 of 5", or "the whole bundle".
std::string DescribeVolume(const BundleContents& bundle);

}  // namespace skerry::reader
