// Fuzz target: the bundler's check of safetensors files. An accepted one ends where its tensors
// end.
#include <cstdlib>

#include "bundler/inspect/safetensors.h"
#include "tests/bundler/string_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::inspect;
  using skerry::testing::StringFile;
  const std::string content(reinterpret_cast<const char*>(data), size);
  TensorElements elements;
  if (!CheckSafetensors(StringFile(content), &elements)) return 0;
  if (elements.empty()) abort();
  if (CheckSafetensors(StringFile(content + "x"))) abort();
  if (CheckSafetensors(StringFile(content.substr(0, size - 1)))) abort();
  return 0;
}
