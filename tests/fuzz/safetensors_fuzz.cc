// libFuzzer target: safetensors files. The tensors of an accepted file must cover its data exactly.
#include <cstdlib>

#include "engine/formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::engine;
  const auto file = SafetensorsFile::Parse({data, size}, "fuzz");
  if (!file) return 0;
  size_t covered = 0;
  for (const SafetensorsTensor& tensor : file->tensors()) {
    if (tensor.bytes.data() < data || tensor.bytes.data() + tensor.bytes.size() > data + size) {
      abort();
    }
    if (file->FindTensor(tensor.name) != &tensor) abort();
    covered += tensor.bytes.size();
  }
  if (covered > size - 8) abort();
  return 0;
}
