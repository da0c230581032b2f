#include "appliance/policy/token.h"

#include <sodium.h>

#include <algorithm>

#include "appliance/base/encode.h"

namespace skerry::policy {

namespace {

constexpr std::string_view kPrefix = "sk-";
constexpr std::string_view kIdAlphabet = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kAlphabet =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static_assert(sizeof(TokenHash) == crypto_generichash_BYTES);
static_assert(std::tuple_size_v<TokenHash> == 32);

// CRC-32 (IEEE 802.3, reflected, as in zlib). 59 bytes at most: no table needed.
uint32_t Crc32(std::string_view bytes) {
  uint32_t crc = 0xffffffff;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
  }
  return ~crc;
}

std::array<char, kTokenCheckSize> Check(std::string_view before) {
  std::array<char, kTokenCheckSize> check;
  uint32_t rest = Crc32(before);
  for (size_t i = check.size(); i-- > 0; rest /= kAlphabet.size()) {
    check[i] = kAlphabet[rest % kAlphabet.size()];
  }
  return check;
}

char RandomOf(std::string_view alphabet) {
  return alphabet[randombytes_uniform(static_cast<uint32_t>(alphabet.size()))];
}

bool ConsistsOf(std::string_view text, std::string_view alphabet) {
  return text.find_first_not_of(alphabet) == std::string_view::npos;
}

}  // namespace

void WipeMemory(void* bytes, size_t size) { sodium_memzero(bytes, size); }

TokenKey MakeKey() {
  TokenKey key;
  randombytes_buf(key.bytes().data(), key.bytes().size());
  return key;
}

NewToken MakeToken(const TokenKey& key) {
  NewToken token;
  auto& text = token.text.bytes();
  char* at = std::copy(kPrefix.begin(), kPrefix.end(), text.data());
  for (size_t i = 0; i < kTokenIdSize; ++i) token.id.push_back(RandomOf(kIdAlphabet));
  at = std::copy(token.id.begin(), token.id.end(), at);
  *at++ = '-';
  const char* secret = at;
  for (size_t i = 0; i < kTokenSecretSize; ++i) *at++ = RandomOf(kAlphabet);
  const auto check = Check({text.data(), static_cast<size_t>(at - text.data())});
  std::copy(check.begin(), check.end(), at);
  token.hash = HashSecret(key, {secret, kTokenSecretSize});
  return token;
}

Result<TokenParts> ParseToken(std::string_view text) {
  const Error shape(ErrorCode::kInvalidArgument,
                    "not an API token of this appliance: sk-, 12 characters, -, 49 characters");
  if (text.size() != kTokenTextSize || !text.starts_with(kPrefix)) return shape;
  const std::string_view id = text.substr(kPrefix.size(), kTokenIdSize);
  const size_t dash = kPrefix.size() + kTokenIdSize;
  if (!IsTokenId(id) || text[dash] != '-') return shape;
  const std::string_view secret = text.substr(dash + 1, kTokenSecretSize);
  if (!ConsistsOf(text.substr(dash + 1), kAlphabet)) return shape;
  const size_t checked_size = kTokenTextSize - kTokenCheckSize;
  const auto check = Check(text.substr(0, checked_size));
  if (text.substr(checked_size) != std::string_view(check.data(), check.size())) {
    return Error(ErrorCode::kInvalidArgument,
                 "the API token is mistyped or cut: its checksum does not match");
  }
  return TokenParts{id, secret};
}

TokenHash HashSecret(const TokenKey& key, std::string_view secret) {
  TokenHash hash;
  const auto bytes = AsBytes(secret);
  crypto_generichash(hash.data(), hash.size(), bytes.data(), bytes.size(), key.bytes().data(),
                     key.bytes().size());
  return hash;
}

bool SameHash(const TokenHash& a, const TokenHash& b) {
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool IsTokenId(std::string_view id) {
  return id.size() == kTokenIdSize && ConsistsOf(id, kIdAlphabet);
}

}  // namespace skerry::policy
