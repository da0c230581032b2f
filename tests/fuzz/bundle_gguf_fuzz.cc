// Fuzz target: the bundler's check of GGUF files. Of an accepted one every byte has its place: one
// more or, without padding, one less is refused.
#include <cstdlib>

#include "bundler/inspect/gguf.h"
#include "tests/bundler/string_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::inspect;
  using skerry::testing::StringFile;
  constexpr size_t kMostPadding = 1 << 20;  // the largest alignment
  const std::string content(reinterpret_cast<const char*>(data), size);
  const auto summary = CheckGguf(StringFile(content));
  if (!summary) return 0;
  if (CheckGguf(StringFile(content + std::string(kMostPadding, '\0')))) abort();
  if (CheckGguf(StringFile(content.substr(0, 23)))) abort();
  return 0;
}
