// API tokens: `sk-ID-SECRETCHECK`. Made here, taken apart here, compared here, so that one file has
// all rules of docs/formats/policy.md about them. Pure functions apart from the random numbers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "appliance/base/result.h"

namespace skerry::policy {

inline constexpr size_t kTokenIdSize = 12;      // 0-9a-z
inline constexpr size_t kTokenSecretSize = 43;  // 0-9A-Za-z: 256 bits
inline constexpr size_t kTokenCheckSize = 6;    // CRC-32 in base 62
inline constexpr size_t kTokenTextSize = 3 + kTokenIdSize + 1 + kTokenSecretSize + kTokenCheckSize;

// Bytes that are wiped when they go out of scope. Moves wipe the source; copying is not offered.
template <typename Byte, size_t kSize>
class Wiped {
 public:
  Wiped() = default;
  ~Wiped() { Wipe(); }
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  Wiped(Wiped&& other) noexcept : bytes_(other.bytes_) { other.Wipe(); }
  Wiped& operator=(Wiped&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      other.Wipe();
    }
    return *this;
  }
  std::array<Byte, kSize>& bytes() { return bytes_; }
  const std::array<Byte, kSize>& bytes() const { return bytes_; }

 private:
  void Wipe();
  std::array<Byte, kSize> bytes_{};
};

// Overwrites `bytes` in a way the compiler keeps.
void WipeMemory(void* bytes, size_t size);

template <typename Byte, size_t kSize>
void Wiped<Byte, kSize>::Wipe() {
  WipeMemory(bytes_.data(), bytes_.size() * sizeof(Byte));
}

using TokenKey = Wiped<uint8_t, 32>;            // the file policy/key
using TokenText = Wiped<char, kTokenTextSize>;  // a whole token, to be shown once
using TokenHash = std::array<uint8_t, 32>;      // what is stored

inline std::string_view View(const TokenText& text) {
  return {text.bytes().data(), text.bytes().size()};
}

struct NewToken {
  std::string id;
  TokenText text;
  TokenHash hash;
};

// A new token with a random id and secret. The text exists only in the returned object.
NewToken MakeToken(const TokenKey& key);

// 32 new random bytes.
TokenKey MakeKey();

// The parts of a token, as views into the text that was parsed.
struct TokenParts {
  std::string_view id;
  std::string_view secret;
};

// Checks shape and checksum only: kInvalidArgument says which of the two is wrong and quotes
// nothing.
Result<TokenParts> ParseToken(std::string_view text);

// Keyed BLAKE2b-256 of the secret's text.
TokenHash HashSecret(const TokenKey& key, std::string_view secret);

// In constant time.
bool SameHash(const TokenHash& a, const TokenHash& b);

// 12 characters of 0-9a-z.
bool IsTokenId(std::string_view id);

}  // namespace skerry::policy
