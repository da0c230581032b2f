// Writes the bytes of an archive, whole or a volume, from its parts in their order. Whoever makes
// or cuts a bundle uses it, so that there is one place that spells an archive.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "appliance/base/sha256.h"
#include "bundler/format/volume.h"

namespace skerry::format {

// A trust root that travels along.
struct RootText {
  uint64_t version = 0;
  std::string text;
};

// The members before meta/volume, apart from FORMAT.
struct ArchiveHead {
  std::string manifest_text;
  std::string signatures_text;  // JSON, or the member as received: padded or not
  std::vector<RootText> roots;  // ascending
  std::optional<std::string> revocations_text;
};

// One thread. The calls come in the order of the functions here; a call that fails ends the
// writing.
class ArchiveWriter {
 public:
  // `output` must outlive this object; `volume` must have passed CheckVolume.
  ArchiveWriter(File& output, const ChunkMap& map, std::optional<Volume> volume = std::nullopt);

  // FORMAT up to meta/volume.
  Result<void> Head(const ArchiveHead& head);
  // For every file in order; its leaf hashes.
  Result<void> Tree(std::span<const Sha256Digest> leaves);
  // For every document in order.
  Result<void> Document(std::span<const uint8_t> content);
  // For every chunk of layout().chunks() in order, with exactly its bytes.
  Result<void> Chunk(uint64_t chunk, std::span<const uint8_t> bytes);
  // The end. Returns the archive's length; the file is not synced.
  Result<uint64_t> Finish();

  const DataLayout& layout() const { return layout_; }

 private:
  Result<void> Put(std::string_view bytes);
  Result<void> Member(std::string_view name, std::string_view content);

  File& output_;
  const std::optional<Volume> volume_;
  const DataLayout layout_;
  size_t trees_ = 0;
  size_t documents_ = 0;
  uint64_t written_bytes_ = 0;
};

// The content of meta/signatures: `json` (or what is padded already) with line feeds up to its
// fixed length, so that a further signer changes no other byte of the archive.
std::string PadSignatures(std::string json);
// The JSON in a member of that length; kCorrupt when it is not padded so.
Result<std::string_view> UnpadSignatures(std::string_view member);

}  // namespace skerry::format
