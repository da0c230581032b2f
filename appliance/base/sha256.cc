#include "appliance/base/sha256.h"

#include <openssl/evp.h>

#include <cstdlib>

#include "appliance/base/encode.h"

namespace skerry {

namespace {

// OpenSSL's digest calls fail only without memory or without the algorithm; neither can be mended.
void Must(int ok) {
  if (ok != 1) std::abort();
}

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() { Start(); }
  ~State() { EVP_MD_CTX_free(context); }
  void Start() { Must(EVP_DigestInit_ex(context, EVP_sha256(), nullptr)); }
};

std::string Sha256Digest::Hex() const { return HexEncode(bytes); }

Result<Sha256Digest> Sha256Digest::FromHex(std::string_view hex) {
  Sha256Digest digest;
  if (!HexDecode(hex, digest.bytes)) {
    return Error(ErrorCode::kInvalidArgument, "'" + std::string(hex.substr(0, 80)) +
                                                  "' is not a SHA-256 digest (64 hex digits)");
  }
  return digest;
}

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::Update(std::span<const uint8_t> bytes) {
  Must(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()));
}

void Sha256::Update(std::string_view bytes) {
  Must(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()));
}

Sha256Digest Sha256::Finish() {
  Sha256Digest digest;
  Must(EVP_DigestFinal_ex(state_->context, digest.bytes.data(), nullptr));
  state_->Start();
  return digest;
}

Sha256Digest Sha256::Of(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

Sha256Digest Sha256::Of(std::span<const uint8_t> bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

}  // namespace skerry
