#include "bundler/format/archive_writer.h"

#include "appliance/base/encode.h"
#include "bundler/format/layout.h"
#include "bundler/format/tar.h"

namespace skerry::format {

ArchiveWriter::ArchiveWriter(File& output, const ChunkMap& map, std::optional<Volume> volume)
    : output_(output), volume_(volume), layout_(map, volume) {}

Result<void> ArchiveWriter::Head(const ArchiveHead& head) {
  TRY(Member(kFormatName, kFormatText));
  TRY(Member(kManifestName, head.manifest_text));
  TRY(Member(kSignaturesName, PadSignatures(head.signatures_text)));
  for (const RootText& root : head.roots) TRY(Member(RootName(root.version), root.text));
  if (head.revocations_text) TRY(Member(kRevocationsName, *head.revocations_text));
  return volume_ ? Member(kVolumeName, SerializeVolume(*volume_)) : Result<void>();
}

Result<void> ArchiveWriter::Tree(std::span<const Sha256Digest> leaves) {
  std::string bytes;
  bytes.reserve(leaves.size() * sizeof(Sha256Digest::bytes));
  for (const Sha256Digest& leaf : leaves) bytes.append(AsText(leaf.bytes));
  return Member(TreeName(trees_++), bytes);
}

Result<void> ArchiveWriter::Document(std::span<const uint8_t> content) {
  return Member(DocumentName(documents_++), AsText(content));
}

Result<void> ArchiveWriter::Chunk(uint64_t chunk, std::span<const uint8_t> bytes) {
  const DataMember& member = layout_.MemberOf(chunk);
  if (chunk == member.chunks.first) TRY(Put(TarHeader(member.name, member.size)));
  written_bytes_ += bytes.size();
  TRY(output_.Append(bytes));
  if (chunk + 1 < member.chunks.last) return {};
  return Put(std::string(TarPaddingBytes(member.size), '\0'));
}

Result<uint64_t> ArchiveWriter::Finish() {
  TRY(Put(std::string(kTarEndBytes, '\0')));
  return written_bytes_;
}

Result<void> ArchiveWriter::Put(std::string_view bytes) {
  if (bytes.empty()) return {};
  written_bytes_ += bytes.size();
  return output_.Append(AsBytes(bytes));
}

Result<void> ArchiveWriter::Member(std::string_view name, std::string_view content) {
  std::string bytes = TarHeader(name, content.size());
  bytes.append(content);
  bytes.append(TarPaddingBytes(content.size()), '\0');
  return Put(bytes);
}

std::string PadSignatures(std::string json) {
  if (json.size() < kSignaturesBytes) json.resize(kSignaturesBytes, '\n');
  return json;
}

Result<std::string_view> UnpadSignatures(std::string_view member) {
  const size_t last = member.find_last_not_of('\n');
  if (member.size() != kSignaturesBytes || last == std::string_view::npos) {
    return Error(ErrorCode::kCorrupt, "'" + std::string(kSignaturesName) + "' must have " +
                                          std::to_string(kSignaturesBytes) +
                                          " bytes: JSON and line feeds");
  }
  return member.substr(0, last + 1);
}

}  // namespace skerry::format
