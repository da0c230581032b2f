#include "bundler/build/volumes.h"

#include <algorithm>

#include "bundler/format/layout.h"
#include "bundler/format/tar.h"
#include "bundler/format/tree.h"

namespace skerry::build {

namespace {

constexpr uint64_t kMaxVolumeBytes = uint64_t{1} << 50;

struct Unit {
  std::string_view name;
  uint64_t bytes;
};
constexpr Unit kMedia[] = {
    {"fat32", 4'294'967'295}, {"dvd", 4'690'000'000}, {"bd25", 25'000'000'000}};
constexpr Unit kUnits[] = {
    {"TB", 1'000'000'000'000}, {"GB", 1'000'000'000}, {"MB", 1'000'000}, {"KB", 1'000}, {"", 1}};

// The longest of the volumes of `chunks` each.
uint64_t LongestVolume(const format::Manifest& manifest, uint64_t manifest_bytes,
                       const format::ChunkMap& map, uint64_t chunks) {
  uint64_t longest = 0;
  const uint64_t count = format::Volume{1, chunks}.Count(map.count());
  for (uint64_t number = 1; number <= count; ++number) {
    longest = std::max(longest,
                       ArchiveBytes(manifest, manifest_bytes, map, format::Volume{number, chunks}));
  }
  return longest;
}

}  // namespace

Result<uint64_t> ParseVolumeSize(std::string_view text) {
  for (const Unit& medium : kMedia) {
    if (text == medium.name) return medium.bytes;
  }
  const size_t digits = std::min(text.size(), text.find_first_not_of("0123456789"));
  for (const Unit& unit : kUnits) {
    if (digits == 0 || digits > 15 || text.substr(digits) != unit.name) continue;
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(std::stoull(std::string(text.substr(0, digits))), unit.bytes,
                               &bytes) ||
        bytes > kMaxVolumeBytes) {
      break;
    }
    return bytes;
  }
  return Error(ErrorCode::kInvalidArgument,
               "volume size '" + std::string(text.substr(0, 40)) +
                   "' must be fat32, dvd, bd25, or bytes such as 4294967295, 4GB or 700MB");
}

std::string VolumeName(const std::string& bundle, uint64_t number, uint64_t count) {
  constexpr std::string_view kSuffix = ".skb";
  const std::string base =
      bundle.ends_with(kSuffix) ? bundle.substr(0, bundle.size() - kSuffix.size()) : bundle;
  const std::string last = std::to_string(count);
  std::string digits = std::to_string(number);
  const size_t width = std::max<size_t>(2, last.size());
  auto padded = [&](std::string number_text) {
    return std::string(width - std::min(width, number_text.size()), '0') + number_text;
  };
  return base + "." + padded(std::move(digits)) + "-of-" + padded(last) + std::string(kSuffix);
}

uint64_t ArchiveBytes(const format::Manifest& manifest, uint64_t manifest_bytes,
                      const format::ChunkMap& map, const std::optional<format::Volume>& volume) {
  using format::TarMemberBytes;
  uint64_t total = TarMemberBytes(format::kFormatText.size()) + TarMemberBytes(manifest_bytes) +
                   TarMemberBytes(format::kSignaturesBytes) + format::kTarEndBytes;
  for (const format::RootEntry& root : manifest.roots) total += TarMemberBytes(root.size);
  if (manifest.revocations) total += TarMemberBytes(manifest.revocations->size);
  if (volume) total += TarMemberBytes(format::SerializeVolume(*volume).size());
  for (const format::FileEntry& file : manifest.files) {
    total += TarMemberBytes(format::ChunkCount(file.size) * sizeof(Sha256Digest::bytes));
  }
  for (const format::FileEntry& document : manifest.documents)
    total += TarMemberBytes(document.size);
  return total + format::DataLayout(map, volume).bytes();
}

Result<uint64_t> ChooseChunks(const format::Manifest& manifest, uint64_t manifest_bytes,
                              const format::ChunkMap& map, uint64_t max_bytes) {
  if (ArchiveBytes(manifest, manifest_bytes, map, std::nullopt) <= max_bytes) return uint64_t{0};
  // Not fewer than gives kMaxVolumes.
  const uint64_t fewest = (map.count() + format::kMaxVolumes - 1) / format::kMaxVolumes;
  if (map.count() < 2) {
    return Error(ErrorCode::kInvalidArgument,
                 "the bundle has one chunk only and cannot be cut; the smallest possible size is " +
                     std::to_string(ArchiveBytes(manifest, manifest_bytes, map, std::nullopt)) +
                     " bytes");
  }
  const uint64_t smallest = LongestVolume(manifest, manifest_bytes, map, fewest);
  if (smallest > max_bytes) {
    return Error(ErrorCode::kInvalidArgument,
                 "volumes of " + std::to_string(max_bytes) +
                     " bytes are too small: every one carries the manifest, hashes and documents, "
                     "and there are at most 1000; the smallest possible size is " +
                     std::to_string(smallest) + " bytes");
  }
  // What the length grows with is the number of chunks; where small files make it uneven, the
  // result fits all the same.
  uint64_t fits = fewest, too_many = map.count();
  while (too_many - fits > 1) {
    const uint64_t middle = fits + (too_many - fits) / 2;
    if (LongestVolume(manifest, manifest_bytes, map, middle) <= max_bytes) {
      fits = middle;
    } else {
      too_many = middle;
    }
  }
  return fits;
}

}  // namespace skerry::build
