// Fuzz target: meta/volume, up to the first zero byte, for a bundle of files with the sizes that
// follow (8 bytes each). The volumes of an accepted cut hold every chunk once.
#include <cstdlib>
#include <vector>

#include "bundler/format/layout.h"
#include "bundler/format/volume.h"

namespace {

using namespace skerry::format;

void CheckLayout(const ChunkMap& map, const DataLayout& layout) {
  uint64_t chunk = layout.chunks().first, bytes = 0, end = 0;
  for (const DataMember& member : layout.members()) {
    if (member.chunks.first != chunk || member.chunks.count() == 0) abort();
    if (member.offset != end) abort();
    for (; chunk < member.chunks.last && chunk < member.chunks.first + 3; ++chunk) {
      if (&layout.MemberOf(chunk) != &member || map.At(chunk).file_idx != member.file_idx) abort();
      if (layout.OffsetOf(chunk) < member.offset) abort();
    }
    chunk = member.chunks.last;
    bytes += member.size;
    end = layout.OffsetOf(member.chunks.first) + (member.size + 511) / 512 * 512;
  }
  if (chunk != layout.chunks().last || bytes != layout.data_bytes() || end != layout.bytes()) {
    abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kMostFiles = 16;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view text = input.substr(0, input.find('\0'));
  const auto volume = ParseVolume(text);
  if (!volume) return 0;
  if (SerializeVolume(*volume) != text) abort();
  std::vector<FileEntry> files(1);
  for (size_t at = text.size() + 1; at + 8 <= size && files.size() < kMostFiles; at += 8) {
    FileEntry entry;
    for (size_t i = 0; i < 8; ++i) entry.size = entry.size << 8 | data[at + i];
    entry.size %= kMaxDataBytes / kMostFiles;
    files.push_back(entry);
  }
  const ChunkMap map(files);
  if (!CheckVolume(*volume, map.count())) return 0;
  const uint64_t count = volume->Count(map.count());
  uint64_t chunks = 0;
  for (uint64_t number = 1; number <= count; ++number) {
    const DataLayout layout(map, Volume{number, volume->chunks});
    CheckLayout(map, layout);
    if (layout.chunks().first != chunks) abort();
    chunks = layout.chunks().last;
  }
  if (chunks != map.count()) abort();
  CheckLayout(map, DataLayout(map, std::nullopt));
  return 0;
}
