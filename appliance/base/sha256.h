// SHA-256 (FIPS 180-4) by OpenSSL.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "appliance/base/result.h"

namespace skerry {

struct Sha256Digest {
  std::array<uint8_t, 32> bytes{};

  auto operator<=>(const Sha256Digest&) const = default;

  std::string Hex() const;                                    // 64 lower-case digits
  static Result<Sha256Digest> FromHex(std::string_view hex);  // exactly 64 lower-case digits
};

// Incremental hash. One thread.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(std::span<const uint8_t> bytes);
  void Update(std::string_view bytes);

  // The digest of everything so far; the object then starts anew.
  Sha256Digest Finish();

  static Sha256Digest Of(std::string_view bytes);
  static Sha256Digest Of(std::span<const uint8_t> bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skerry
