// Fuzz target: rollback permits, as a payload that somebody signed and as a file.
#include <cstdlib>

#include "bundler/trust/permit.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::trust;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Root anybody;
  anybody.release.threshold = 0;  // so that the form is read without a signature
  const std::string file = SerializeEnvelope({std::string(kPermitType), std::string(text), {}});
  const auto permit = ParsePermit(anybody, {}, file);
  if (permit) {
    if (SerializePermitPayload(permit->permit) != text || permit->text != file) abort();
    anybody.release.threshold = 1;
    if (ParsePermit(anybody, {}, file)) abort();
  }
  (void)ParsePermit(anybody, {}, text);
  return 0;
}
