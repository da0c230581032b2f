#include "engine/tokenizer/byte_level.h"

#include <array>

#include "engine/unicode/code_points.h"

namespace skerry::engine {
namespace {

constexpr uint32_t kFirstStandIn = 0x100;  // for bytes that are no printable Latin-1 character

constexpr bool IsItself(uint32_t byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::array<uint32_t, 256> MakeChars() {
  std::array<uint32_t, 256> chars{};
  uint32_t next = kFirstStandIn;
  for (uint32_t byte = 0; byte < 256; ++byte) chars[byte] = IsItself(byte) ? byte : next++;
  return chars;
}

constexpr std::array<uint32_t, 256> kChars = MakeChars();
constexpr uint32_t kCharsEnd = kFirstStandIn + 68;

constexpr std::array<int16_t, kCharsEnd> MakeBytes() {
  std::array<int16_t, kCharsEnd> bytes{};
  for (int16_t& byte : bytes) byte = -1;
  for (uint32_t byte = 0; byte < 256; ++byte) bytes[kChars[byte]] = static_cast<int16_t>(byte);
  return bytes;
}

constexpr std::array<int16_t, kCharsEnd> kBytes = MakeBytes();

}  // namespace

uint32_t ByteLevelChar(uint8_t byte) { return kChars[byte]; }

std::optional<std::string> DecodeByteLevel(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = unicode::NextCodePoint(text, &at);
    if (c >= kCharsEnd || kBytes[c] < 0) return std::nullopt;
    bytes += static_cast<char>(kBytes[c]);
  }
  return bytes;
}

std::string EncodeByteLevel(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    unicode::AppendCodePoint(kChars[static_cast<uint8_t>(byte)], text);
  }
  return text;
}

}  // namespace skerry::engine
