// Fuzz target: trust roots, as payload and as file. An accepted payload has one spelling only, and
// nothing is a root without signatures.
#include <cstdlib>

#include "bundler/trust/root.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::trust;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto root = ParseRootPayload(text);
  if (root) {
    const auto again = SerializeRootPayload(*root);
    if (!again || *again != text) abort();
    if (ParseRoot(SerializeEnvelope({std::string(kRootType), std::string(text), {}}))) abort();
  }
  const auto chain = ParseRootChain(text);
  if (chain && SerializeRootChain(*chain) != text) abort();
  return 0;
}
