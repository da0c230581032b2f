#include "bundler/reader/internal/members.h"

#include <algorithm>

#include "appliance/base/encode.h"
#include "bundler/format/tar.h"

namespace skerry::reader {

using format::kTarBlockBytes;

namespace {

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

}  // namespace

Result<std::string> ReadText(const File& file, uint64_t offset, uint64_t size) {
  std::string text(size, '\0');
  const size_t got =
      TRY(file.ReadAt(offset, {reinterpret_cast<uint8_t*>(text.data()), text.size()}));
  if (got != size) return Bad("the bundle is truncated");
  return text;
}

bool AllZero(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

Result<std::string> MemberReader::ClaimedName() const {
  const std::string block = TRY(ReadText(file_, position_, kTarBlockBytes));
  return std::string(format::TarClaimedName(AsBytes(block).first<kTarBlockBytes>()));
}

Result<std::string> MemberReader::Next(std::string_view name, uint64_t max_bytes) {
  const std::string block = TRY(ReadText(file_, position_, kTarBlockBytes));
  const uint64_t size =
      TRY(format::TarExpectedSize(AsBytes(block).first<kTarBlockBytes>(), name, max_bytes));
  return Content(name, size, kTarBlockBytes);
}

Result<std::string> MemberReader::Exactly(std::string_view name, uint64_t size) {
  const std::string wanted = format::TarHeader(name, size);
  const std::string header = TRY(ReadText(file_, position_, wanted.size()));
  if (header != wanted) {
    return Bad("the header of '" + std::string(name) + "' is not the one that a bundle has");
  }
  return Content(name, size, wanted.size());
}

Result<std::string> MemberReader::Content(std::string_view name, uint64_t size,
                                          uint64_t header_bytes) {
  const uint64_t padding = format::TarPaddingBytes(size);
  std::string content = TRY(ReadText(file_, position_ + header_bytes, size + padding));
  if (!AllZero(AsBytes(content).subspan(size))) {
    return Bad("the padding after '" + std::string(name) + "' is not zero");
  }
  content.resize(size);
  position_ += header_bytes + size + padding;
  return content;
}

}  // namespace skerry::reader
