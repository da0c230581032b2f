// Fuzz target: the manifest. What is accepted has one spelling only.
#include <cstdlib>

#include "bundler/format/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::format;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto manifest = ParseManifest(text);
  if (manifest) {
    const auto again = SerializeManifest(*manifest);
    if (!again || *again != text) abort();
    for (const FileEntry& entry : manifest->files) {
      if (entry.name.starts_with('/') ||
          ("/" + entry.name + "/").find("/../") != std::string::npos) {
        abort();
      }
    }
  }
  return 0;
}
