// Fuzz target: the headers of an archive. The input is a size (8 bytes), the length of a name, the
// name, and bytes that are laid over the right header: only the right one is accepted.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "appliance/base/encode.h"
#include "bundler/format/tar.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::format;
  if (size < 9) return 0;
  uint64_t member_bytes = 0;
  for (size_t i = 0; i < 8; ++i) member_bytes = member_bytes << 8 | data[i];
  member_bytes >>= data[0] % 64;
  const size_t name_bytes = std::min<size_t>({size_t{data[8]}, size - 9, 90});
  const std::string name(reinterpret_cast<const char*>(data + 9), name_bytes);
  const std::string header = TarHeader(name, member_bytes);
  if (header.size() != TarHeaderBytes(member_bytes) || header.size() % kTarBlockBytes != 0) abort();

  std::string changed = header.substr(0, kTarBlockBytes);
  for (size_t i = 9 + name_bytes; i < size && i < 9 + name_bytes + kTarBlockBytes; ++i) {
    char& byte = changed[i - 9 - name_bytes];
    byte = static_cast<char>(byte ^ data[i]);
  }
  const auto block = skerry::AsBytes(changed).first<kTarBlockBytes>();
  (void)TarClaimedName(block);
  const auto found = TarExpectedSize(block, name, member_bytes);
  if (found && (*found > member_bytes || TarHeader(name, *found) != changed)) abort();
  if (!found && header.size() == kTarBlockBytes && changed == header) abort();
  return 0;
}
