// libFuzzer target: the checks of a model's files. The first byte chooses.
#include "bundler/inspect/content.h"
#include "bundler/inspect/gguf.h"
#include "bundler/inspect/safetensors.h"
#include "tests/bundler/string_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::inspect;
  if (size == 0) return 0;
  const std::span<const uint8_t> content(data + 1, size - 1);
  const skerry::testing::StringFile file(
      std::string(reinterpret_cast<const char*>(content.data()), content.size()));
  switch (data[0] % 3) {
    case 0:
      (void)CheckGguf(file);
      break;
    case 1:
      (void)CheckSafetensors(file);
      break;
    default:
      (void)CheckContent("x", file);
  }
  return 0;
}
