// libFuzzer target: GGUF files. Whatever is accepted must lie inside the file, its metadata must be
// readable by every accessor, and tensors of types that the engine knows as numbers.
#include <cstdlib>

#include "engine/architectures/internal/readers.h"
#include "engine/formats/gguf.h"
#include "engine/formats/tensor.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::engine;
  const auto gguf = GgufFile::Parse({data, size}, "fuzz");
  if (!gguf) return 0;
  for (const GgufTensor& tensor : gguf->tensors()) {
    if (tensor.bytes.empty() || tensor.bytes.data() < data ||
        tensor.bytes.data() + tensor.bytes.size() > data + size) {
      abort();
    }
    const auto dtype = FindDType(GgufTypeName(tensor.type));
    if (!dtype) continue;
    const Tensor values{*dtype, {tensor.dims.rbegin(), tensor.dims.rend()}, tensor.bytes, nullptr};
    int64_t n_elements = 1;
    for (const int64_t dim : tensor.dims) n_elements *= dim;
    if (static_cast<int64_t>(ToFloats(values).size()) != n_elements) abort();
  }
  for (const std::string_view key : gguf->Keys()) {
    size_t touched = 0;
    if (const auto text = gguf->GetString(key)) touched += text->size() + text->find('\0');
    if (const auto texts = gguf->GetStrings(key)) {
      for (const std::string_view text : *texts) touched += text.find('\0');
    }
    (void)gguf->GetInt(key);
    (void)gguf->GetFloat(key);
    (void)gguf->GetBool(key);
    (void)gguf->GetFloats(key);
    (void)gguf->GetInts(key);
    volatile size_t sink = touched;
    (void)sink;
  }
  (void)internal::ReadGgufConfig(*gguf);
  return 0;
}
