// libFuzzer target: tekken.json.
#include "appliance/base/json.h"

#include <nlohmann/json.hpp>

#include "engine/tokenizer/tekken.h"
#include "tests/fuzz/tokenizer_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry;
  const auto file = ParseJson({reinterpret_cast<const char*>(data), size});
  if (!file) return 0;
  auto tekken = engine::ReadTekken(*file);
  if (!tekken) return 0;
  const auto tokenizer = engine::PipelineTokenizer::Create(std::move(tekken->parts));
  if (tokenizer) engine::CheckTokenizer(**tokenizer);
  return 0;
}
