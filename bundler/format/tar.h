// The one form of a tar member that a bundle has. Writer and reader build the same header bytes;
// the reader compares instead of parsing, so that no bit of a header is left to interpretation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "appliance/base/result.h"

namespace skerry::format {

inline constexpr size_t kTarBlockBytes = 512;
// Two zero blocks end the archive (POSIX.1-2017, pax, "ustar Interchange Format").
inline constexpr size_t kTarEndBytes = 2 * kTarBlockBytes;

// Header of a regular file, name at most 100 bytes: one block, or three with a pax `size` record
// when the size does not fit the ustar field (8 GiB and more).
std::string TarHeader(std::string_view name, uint64_t size);

// Length of TarHeader(name, size) for any name.
uint64_t TarHeaderBytes(uint64_t size);

// Zero bytes that follow `size` bytes of data.
inline uint64_t TarPaddingBytes(uint64_t size) {
  return (kTarBlockBytes - size % kTarBlockBytes) % kTarBlockBytes;
}

// Header, data and padding together.
inline uint64_t TarMemberBytes(uint64_t size) {
  return TarHeaderBytes(size) + size + TarPaddingBytes(size);
}

// The name that a header block claims; not checked.
std::string_view TarClaimedName(std::span<const uint8_t, kTarBlockBytes> block);

// The size in a one-block header that must be exactly TarHeader(name, size) with size <=
// `max_bytes`; kCorrupt otherwise.
Result<uint64_t> TarExpectedSize(std::span<const uint8_t, kTarBlockBytes> block,
                                 std::string_view name, uint64_t max_bytes);

}  // namespace skerry::format
