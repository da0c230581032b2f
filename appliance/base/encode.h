// Text forms of bytes: lower-case hex and standard base64.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry {

std::string HexEncode(std::span<const uint8_t> bytes);

// Fills `out` from exactly 2 * out.size() lower-case hex digits; false (out unspecified) otherwise.
bool HexDecode(std::string_view hex, std::span<uint8_t> out);

// Standard alphabet with padding (RFC 4648 section 4).
std::string Base64Encode(std::span<const uint8_t> bytes);

// Strict inverse: padding required, no white space; nullopt otherwise.
std::optional<std::vector<uint8_t>> Base64Decode(std::string_view text);

inline std::span<const uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace skerry
