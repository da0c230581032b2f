#include "bundler/reader/volume_set.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "bundler/format/layout.h"
#include "bundler/format/names.h"

namespace skerry::reader {

namespace {

using format::Quote;

uint64_t NumberOf(const BundleContents& bundle) {
  return bundle.volume() ? bundle.volume()->number : 1;
}

uint64_t ChunksPerVolume(const BundleContents& bundle) {
  return bundle.volume() ? bundle.volume()->chunks : 0;
}

// "2, 4 to 7".
std::string Numbers(const std::vector<uint64_t>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size();) {
    size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    if (!text.empty()) text += ", ";
    text += std::to_string(numbers[i]);
    if (end - i > 1) text += (end - i == 2 ? ", " : " to ") + std::to_string(numbers[end - 1]);
    i = end;
  }
  return text;
}

Error DoesNotBelong(const std::string& name, const std::string& first, const std::string& why) {
  return Error(ErrorCode::kInvalidArgument, Quote(name) + " does not belong to " + Quote(first) +
                                                ": " + why +
                                                "; give the volumes of one bundle and one split");
}

Error ReadOnly() { return Error(ErrorCode::kInternal, "a bundle is never written"); }

// One file of a bundle, over the volumes that have it.
template <typename Bundle>
class FileOfSet : public File {
 public:
  FileOfSet(const VolumeSetOf<Bundle>& set, size_t file_idx) : set_(set), file_idx_(file_idx) {}

  Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    const BundleContents& common = set_.parts().front().bundle;
    const uint64_t size = common.manifest().files[file_idx_].size;
    const format::ChunkRange chunks = common.map().Of(file_idx_);
    size_t done = 0;
    while (done < out.size() && offset + done < size) {
      const uint64_t chunk = chunks.first + (offset + done) / format::kChunkBytes;
      const auto* part = set_.Find(chunk);
      if (part == nullptr) return set_.MissingAt(chunk);
      const size_t got = TRY(part->bundle.ReadUnchecked(file_idx_, offset + done, out.subspan(done))
                                 .WithContext(Quote(part->name)));
      if (got == 0) {
        return Error(ErrorCode::kCorrupt, Quote(part->name) + ": the bundle is truncated");
      }
      done += got;
    }
    return done;
  }
  Result<uint64_t> Size() const override {
    return set_.parts().front().bundle.manifest().files[file_idx_].size;
  }
  Result<void> Append(std::span<const uint8_t>) override { return ReadOnly(); }
  Result<void> Sync() override { return ReadOnly(); }
  Result<void> Truncate(uint64_t) override { return ReadOnly(); }

 private:
  const VolumeSetOf<Bundle>& set_;
  const size_t file_idx_;
};

// The same, chunk by chunk and with their hashes compared. Keeps the chunk that was read last.
template <typename Bundle>
class CheckedFile : public File {
 public:
  CheckedFile(const VolumeSetOf<Bundle>& set, size_t file_idx, const ChunkHashes& hashes)
      : set_(set),
        hashes_(hashes),
        size_(set.parts().front().bundle.manifest().files[file_idx].size),
        first_chunk_(set.parts().front().bundle.map().Of(file_idx).first) {}

  Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    const std::lock_guard lock(mu_);
    size_t done = 0;
    while (done < out.size() && offset + done < size_) {
      const uint64_t at = offset + done;
      TRY(Load(first_chunk_ + at / format::kChunkBytes));
      const size_t within = at % format::kChunkBytes;
      const size_t count = std::min(out.size() - done, chunk_bytes_ - within);
      std::copy_n(buffer_.begin() + static_cast<ptrdiff_t>(within), count,
                  out.begin() + static_cast<ptrdiff_t>(done));
      done += count;
    }
    return done;
  }
  Result<uint64_t> Size() const override { return size_; }
  Result<void> Append(std::span<const uint8_t>) override { return ReadOnly(); }
  Result<void> Sync() override { return ReadOnly(); }
  Result<void> Truncate(uint64_t) override { return ReadOnly(); }

 private:
  Result<void> Load(uint64_t chunk) const {
    if (chunk_ == chunk) return {};
    chunk_.reset();
    buffer_.resize(std::min<uint64_t>(size_, format::kChunkBytes));
    chunk_bytes_ = TRY(set_.ReadChunk(chunk, hashes_, buffer_));
    chunk_ = chunk;
    return {};
  }

  const VolumeSetOf<Bundle>& set_;
  const ChunkHashes& hashes_;
  const uint64_t size_;
  const uint64_t first_chunk_;
  mutable std::mutex mu_;
  mutable std::vector<uint8_t> buffer_;    // guarded by mu_
  mutable std::optional<uint64_t> chunk_;  // what buffer_ has; guarded by mu_
  mutable size_t chunk_bytes_ = 0;         // of it; guarded by mu_
};

}  // namespace

template <typename Bundle>
Result<typename VolumeSetOf<Bundle>::Added> VolumeSetOf<Bundle>::Add(std::string name,
                                                                     Bundle bundle) {
  if (!parts_.empty()) {
    const Part& first = parts_.front();
    if (bundle.digest() != first.bundle.digest()) {
      return DoesNotBelong(name, first.name,
                           "it is of another bundle (" + Quote(bundle.manifest().id) + " " +
                               bundle.manifest().version + ", sha256-" + bundle.digest().Hex() +
                               ")");
    }
    if (bundle.volume().has_value() != first.bundle.volume().has_value()) {
      return DoesNotBelong(name, first.name,
                           "it is " + DescribeVolume(bundle) + ", that one is " +
                               DescribeVolume(first.bundle) + " of the same bundle");
    }
    if (ChunksPerVolume(bundle) != ChunksPerVolume(first.bundle)) {
      return DoesNotBelong(name, first.name,
                           "the same bundle was split otherwise (volumes of " +
                               std::to_string(ChunksPerVolume(bundle)) + " chunks, not of " +
                               std::to_string(ChunksPerVolume(first.bundle)) + ")");
    }
    bundle.common_ = first.bundle.common_;
  }
  const auto place = std::lower_bound(
      parts_.begin(), parts_.end(), NumberOf(bundle),
      [](const Part& part, uint64_t number) { return NumberOf(part.bundle) < number; });
  if (place != parts_.end() && NumberOf(place->bundle) == NumberOf(bundle)) {
    duplicates_.push_back({std::move(name), std::move(bundle)});
    return Added::kDuplicate;
  }
  parts_.insert(place, Part{std::move(name), std::move(bundle)});
  return Added::kNew;
}

template <typename Bundle>
std::vector<uint64_t> VolumeSetOf<Bundle>::Missing() const {
  std::vector<uint64_t> missing;
  auto part = parts_.begin();
  for (uint64_t number = 1; number <= volume_count(); ++number) {
    if (part != parts_.end() && NumberOf(part->bundle) == number) {
      ++part;
    } else {
      missing.push_back(number);
    }
  }
  return missing;
}

template <typename Bundle>
std::string VolumeSetOf<Bundle>::DescribeMissing() const {
  const std::vector<uint64_t> missing = Missing();
  if (missing.empty()) return "";
  return (missing.size() == 1 ? "volume " : "volumes ") + Numbers(missing) + " of " +
         std::to_string(volume_count());
}

template <typename Bundle>
Result<void> VolumeSetOf<Bundle>::CheckComplete() const {
  if (IsComplete()) return {};
  return Error(ErrorCode::kNotFound, "missing: " + DescribeMissing() + " of bundle " +
                                         Quote(parts_.front().bundle.manifest().id) + " " +
                                         parts_.front().bundle.manifest().version +
                                         "; give all of them together");
}

template <typename Bundle>
const typename VolumeSetOf<Bundle>::Part* VolumeSetOf<Bundle>::Find(uint64_t chunk) const {
  const auto after = std::upper_bound(
      parts_.begin(), parts_.end(), chunk,
      [](uint64_t idx, const Part& part) { return idx < part.bundle.chunks().first; });
  if (after == parts_.begin()) return nullptr;
  const Part& part = *std::prev(after);
  return part.bundle.chunks().Contains(chunk) ? &part : nullptr;
}

template <typename Bundle>
Error VolumeSetOf<Bundle>::MissingAt(uint64_t chunk) const {
  const uint64_t per_volume = ChunksPerVolume(parts_.front().bundle);
  return Error(ErrorCode::kNotFound,
               "volume " + std::to_string(per_volume == 0 ? 1 : chunk / per_volume + 1) + " of " +
                   std::to_string(volume_count()) + " is missing");
}

template <typename Bundle>
Result<size_t> VolumeSetOf<Bundle>::ReadChunk(uint64_t chunk, const ChunkHashes& hashes,
                                              std::span<uint8_t> buffer) const {
  const Part* part = Find(chunk);
  if (part == nullptr) return MissingAt(chunk);
  return part->bundle.ReadChunk(chunk, hashes, buffer).WithContext(Quote(part->name));
}

template <typename Bundle>
std::unique_ptr<File> VolumeSetOf<Bundle>::OpenFile(size_t file_idx) const {
  return std::make_unique<FileOfSet<Bundle>>(*this, file_idx);
}

template <typename Bundle>
std::unique_ptr<File> VolumeSetOf<Bundle>::OpenChecked(size_t file_idx,
                                                       const ChunkHashes& hashes) const {
  return std::make_unique<CheckedFile<Bundle>>(*this, file_idx, hashes);
}

template class VolumeSetOf<VerifiedBundle>;
template class VolumeSetOf<SignableBundle>;

std::string DescribeVolume(const BundleContents& bundle) {
  if (!bundle.volume()) return "the whole bundle";
  return "volume " + std::to_string(bundle.volume()->number) + " of " +
         std::to_string(bundle.volume_count());
}

}  // namespace skerry::reader
