// Names, order and limits of a bundle, version 1 (docs/formats/bundle.md). Every limit is checked
// before the bytes it bounds are read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace skerry::format {

inline constexpr std::string_view kFormatText = "skerry-bundle 1\n";
inline constexpr std::string_view kManifestType = "application/vnd.skerry.manifest.v1+json";

inline constexpr size_t kChunkBytes = size_t{4} << 20;
inline constexpr uint64_t kMaxManifestBytes = 1 << 20;
inline constexpr uint64_t kSignaturesBytes = 16384;  // always
inline constexpr uint64_t kMaxRootBytes = 64 << 10;
inline constexpr uint64_t kMaxRevocationsBytes = 1 << 20;
inline constexpr uint64_t kMaxVolumeBytes = 128;
inline constexpr size_t kMaxRoots = 64;
inline constexpr uint64_t kMaxRootFileBytes = kMaxRoots * kMaxRootBytes;
inline constexpr size_t kMaxFiles = 4096;
inline constexpr size_t kMaxDocuments = 64;
inline constexpr uint64_t kMaxDocumentBytes = kChunkBytes;
// Bounds the leaf hashes held in memory to 32 MiB.
inline constexpr uint64_t kMaxDataBytes = uint64_t{4} << 40;

// Members in the order of the archive.
inline constexpr std::string_view kFormatName = "FORMAT";
inline constexpr std::string_view kManifestName = "meta/manifest";
inline constexpr std::string_view kSignaturesName = "meta/signatures";
inline constexpr std::string_view kRootPrefix = "meta/roots/";
inline constexpr std::string_view kRevocationsName = "meta/revocations";
inline constexpr std::string_view kVolumeName = "meta/volume";
std::string RootName(uint64_t version);         // "meta/roots/1"
std::string TreeName(size_t file_idx);          // "meta/tree/000000"
std::string DocumentName(size_t document_idx);  // "meta/doc/000000"
std::string DataName(size_t file_idx);          // "data/000000"
// "data/000000/0000000"; the latter is the place in the file of the first chunk.
std::string VolumeDataName(size_t file_idx, uint64_t chunk_idx);

}  // namespace skerry::format
