// Fuzz target: signatures, envelopes and public keys. What is accepted has one spelling only.
#include <cstdlib>

#include "bundler/trust/permit.h"
#include "bundler/trust/revocations.h"
#include "bundler/trust/root.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::trust;
  constexpr size_t kMaxBytes = 64 << 10;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto signatures = ParseSignatures(text, kMaxBytes);
  if (signatures && SerializeSignatures(*signatures) != text) abort();
  for (const std::string_view type : {kRootType, kRevocationsType, kPermitType}) {
    const auto envelope = ParseEnvelope(text, type, kMaxBytes);
    if (envelope && SerializeEnvelope(*envelope) != text) abort();
  }
  (void)ParsePublicKeyFile(text);
  return 0;
}
