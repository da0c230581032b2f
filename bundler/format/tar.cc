#include "bundler/format/tar.h"

#include <algorithm>
#include <cstring>

#include "appliance/base/encode.h"

namespace skerry::format {

namespace {

// ustar header, POSIX.1-2017 pax(1): offset and length of the fields that are not all zero.
constexpr size_t kNameAt = 0, kNameBytes = 100;
constexpr size_t kModeAt = 100, kUidAt = 108, kGidAt = 116;
constexpr size_t kSizeAt = 124, kSizeDigits = 11;
constexpr size_t kTimeAt = 136;
constexpr size_t kChecksumAt = 148, kChecksumBytes = 8;
constexpr size_t kTypeAt = 156;
constexpr size_t kMagicAt = 257;
constexpr size_t kDeviceMajorAt = 329, kDeviceMinorAt = 337;
constexpr uint64_t kMaxUstarSize = (uint64_t{1} << (3 * kSizeDigits)) - 1;

void PutOctal(std::string& block, size_t at, size_t digits, uint64_t value) {
  for (size_t i = digits; i-- > 0; value >>= 3) {
    block[at + i] = static_cast<char>('0' + (value & 7));
  }
}

std::string UstarBlock(std::string_view name, uint64_t size, char type) {
  std::string block(kTarBlockBytes, '\0');
  block.replace(kNameAt, name.size(), name);
  PutOctal(block, kModeAt, 7, 0644);
  PutOctal(block, kUidAt, 7, 0);
  PutOctal(block, kGidAt, 7, 0);
  PutOctal(block, kSizeAt, kSizeDigits, size);
  PutOctal(block, kTimeAt, 11, 0);
  block[kTypeAt] = type;
  block.replace(kMagicAt, 8, std::string_view("ustar\00000", 8));
  PutOctal(block, kDeviceMajorAt, 7, 0);
  PutOctal(block, kDeviceMinorAt, 7, 0);
  // The checksum counts its own field as spaces.
  block.replace(kChecksumAt, kChecksumBytes, kChecksumBytes, ' ');
  uint64_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  PutOctal(block, kChecksumAt, 6, sum);
  block[kChecksumAt + 6] = '\0';
  return block;
}

// "LENGTH size=N\n", where LENGTH counts itself.
std::string PaxSizeRecord(uint64_t size) {
  const std::string tail = " size=" + std::to_string(size) + "\n";
  size_t length = tail.size() + 1;
  while (std::to_string(length).size() + tail.size() != length) ++length;
  return std::to_string(length) + tail;
}

}  // namespace

std::string TarHeader(std::string_view name, uint64_t size) {
  if (size <= kMaxUstarSize) return UstarBlock(name, size, '0');
  std::string record = PaxSizeRecord(size);
  std::string header = UstarBlock("meta/pax/" + std::string(name), record.size(), 'x');
  record.resize(kTarBlockBytes, '\0');
  return header + record + UstarBlock(name, 0, '0');
}

uint64_t TarHeaderBytes(uint64_t size) {
  return size <= kMaxUstarSize ? kTarBlockBytes : 3 * kTarBlockBytes;
}

std::string_view TarClaimedName(std::span<const uint8_t, kTarBlockBytes> block) {
  const std::string_view field = AsText(block.first(kNameBytes));
  return field.substr(0, field.find('\0'));
}

Result<uint64_t> TarExpectedSize(std::span<const uint8_t, kTarBlockBytes> block,
                                 std::string_view name, uint64_t max_bytes) {
  uint64_t size = 0;
  for (size_t i = 0; i < kSizeDigits; ++i) {
    const uint8_t digit = block[kSizeAt + i];
    if (digit < '0' || digit > '7') {
      return Error(ErrorCode::kCorrupt, "the header of '" + std::string(name) + "' is damaged");
    }
    size = size * 8 + (digit - '0');
  }
  if (size > max_bytes) {
    return Error(ErrorCode::kCorrupt, "'" + std::string(name) + "' claims " + std::to_string(size) +
                                          " bytes; at most " + std::to_string(max_bytes) +
                                          " are allowed");
  }
  if (TarHeader(name, size) != AsText(block)) {
    return Error(ErrorCode::kCorrupt,
                 "the header of '" + std::string(name) + "' is not the one that a bundle has");
  }
  return size;
}

}  // namespace skerry::format
