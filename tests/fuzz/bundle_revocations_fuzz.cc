// Fuzz target: revocation lists, as a payload that somebody signed and as a file.
#include <cstdlib>

#include "bundler/trust/revocations.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::trust;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Root anybody;
  anybody.revoke.threshold = 0;  // so that the form is read without a signature
  const std::string file =
      SerializeEnvelope({std::string(kRevocationsType), std::string(text), {}});
  const auto list = ParseRevocations(anybody, file);
  if (list) {
    if (SerializeRevocationsPayload(*list) != text || list->sequence == 0) abort();
    const auto sequence = PeekSequence(file);
    if (!sequence || *sequence != list->sequence) abort();
    for (const auto& [id, release_seq] : list->expired) {
      if (FindRevoked(*list, {id, release_seq - 1, {}, {}}) == RevokedBy::kNothing) abort();
    }
    anybody.revoke.threshold = 1;
    if (ParseRevocations(anybody, file)) abort();
  }
  (void)PeekSequence(text);
  return 0;
}
