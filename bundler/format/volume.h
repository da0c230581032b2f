// Which part of a bundle a volume is (meta/volume), and what members its data section has. A whole
// bundle's data section is the case without a volume.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "bundler/format/chunk_map.h"

namespace skerry::format {

inline constexpr uint64_t kMaxVolumes = 1000;

struct Volume {
  uint64_t number = 0;  // from 1
  uint64_t chunks = 0;  // of every volume but the last, which may have fewer

  // How many volumes there are when the bundle has `all_chunks`.
  uint64_t Count(uint64_t all_chunks) const { return (all_chunks + chunks - 1) / chunks; }
  // The chunks of this one.
  ChunkRange Range(uint64_t all_chunks) const;

  friend bool operator==(const Volume&, const Volume&) = default;
};

// Whether a bundle of `all_chunks` can be cut so and has that volume: kCorrupt otherwise.
Result<void> CheckVolume(const Volume& volume, uint64_t all_chunks);

// The content of meta/volume. Parsing refuses every other spelling; the numbers are not checked.
std::string SerializeVolume(const Volume& volume);
Result<Volume> ParseVolume(std::string_view text);

// A member of the data section: consecutive chunks of one file.
struct DataMember {
  std::string name;
  size_t file_idx = 0;
  ChunkRange chunks;
  uint64_t size = 0;    // bytes of content
  uint64_t offset = 0;  // of the header, from the beginning of the data section
};

// The data section of a whole bundle or of one volume.
class DataLayout {
 public:
  DataLayout() = default;
  // `volume` must have passed CheckVolume.
  DataLayout(const ChunkMap& map, const std::optional<Volume>& volume);

  ChunkRange chunks() const { return chunks_; }
  const std::vector<DataMember>& members() const { return members_; }
  uint64_t bytes() const { return bytes_; }            // with headers and padding
  uint64_t data_bytes() const { return data_bytes_; }  // without
  // The member that has `chunk`, which must be one of chunks().
  const DataMember& MemberOf(uint64_t chunk) const;
  // Where the chunk's bytes begin, from the beginning of the data section.
  uint64_t OffsetOf(uint64_t chunk) const;

 private:
  ChunkRange chunks_;
  std::vector<DataMember> members_;
  uint64_t bytes_ = 0;
  uint64_t data_bytes_ = 0;
};

}  // namespace skerry::format
