#include "bundler/format/volume.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "bundler/format/layout.h"
#include "bundler/format/tar.h"

namespace skerry::format {

namespace {

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

}  // namespace

ChunkRange Volume::Range(uint64_t all_chunks) const {
  return {(number - 1) * chunks, std::min(number * chunks, all_chunks)};
}

Result<void> CheckVolume(const Volume& volume, uint64_t all_chunks) {
  if (volume.chunks < 1 || volume.chunks >= all_chunks) {
    return Bad("a volume has " + std::to_string(volume.chunks) + " chunks, but the bundle has " +
               std::to_string(all_chunks) + " and no volume may have none or all of them");
  }
  const uint64_t count = volume.Count(all_chunks);
  if (count > kMaxVolumes) {
    return Bad("volumes of " + std::to_string(volume.chunks) + " chunks would be " +
               std::to_string(count) + "; a bundle has at most " + std::to_string(kMaxVolumes));
  }
  if (volume.number < 1 || volume.number > count) {
    return Bad("volume " + std::to_string(volume.number) + " does not exist: there are " +
               std::to_string(count));
  }
  return {};
}

std::string SerializeVolume(const Volume& volume) {
  return "{\"chunks\":" + std::to_string(volume.chunks) +
         ",\"number\":" + std::to_string(volume.number) + "}";
}

Result<Volume> ParseVolume(std::string_view text) {
  const std::string context(kVolumeName);
  const JsonLimits limits{.max_bytes = kMaxVolumeBytes, .max_depth = 1, .allow_floats = false};
  const Json json = TRY(ParseJson(text, limits).WithContext(context));
  const Result<void> known = RefuseUnknownKeys(json, {"chunks", "number"});
  if (!known) return Bad(context + ": " + known.error().message());
  const Result<int64_t> chunks = GetInt(json, "chunks");
  const Result<int64_t> number = GetInt(json, "number");
  if (!chunks || !number || *chunks < 1 || *number < 1) {
    return Bad(context + ": fields 'chunks' and 'number' must be integers from 1 on");
  }
  const Volume volume{static_cast<uint64_t>(*number), static_cast<uint64_t>(*chunks)};
  if (SerializeVolume(volume) != text) return Bad(context + ": its spelling is not canonical");
  return volume;
}

DataLayout::DataLayout(const ChunkMap& map, const std::optional<Volume>& volume)
    : chunks_(volume ? volume->Range(map.count()) : ChunkRange{0, map.count()}) {
  for (uint64_t chunk = chunks_.first; chunk < chunks_.last;) {
    const ChunkPlace place = map.At(chunk);
    const ChunkRange of_file = map.Of(place.file_idx);
    DataMember member;
    member.file_idx = place.file_idx;
    member.chunks = {chunk, std::min(of_file.last, chunks_.last)};
    const ChunkPlace last = map.At(member.chunks.last - 1);
    member.size = last.offset + last.size - place.offset;
    member.name =
        volume ? VolumeDataName(place.file_idx, place.chunk_idx) : DataName(place.file_idx);
    member.offset = bytes_;
    bytes_ += TarMemberBytes(member.size);
    data_bytes_ += member.size;
    chunk = member.chunks.last;
    members_.push_back(std::move(member));
  }
}

const DataMember& DataLayout::MemberOf(uint64_t chunk) const {
  const auto after = std::upper_bound(
      members_.begin(), members_.end(), chunk,
      [](uint64_t idx, const DataMember& member) { return idx < member.chunks.first; });
  return *std::prev(after);
}

uint64_t DataLayout::OffsetOf(uint64_t chunk) const {
  const DataMember& member = MemberOf(chunk);
  return member.offset + TarHeaderBytes(member.size) + (chunk - member.chunks.first) * kChunkBytes;
}

}  // namespace skerry::format
