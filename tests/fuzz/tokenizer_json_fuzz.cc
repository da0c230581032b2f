// libFuzzer target: tokenizer.json in the first line, tokenizer_config.json in the next.
#include <nlohmann/json.hpp>

#include "engine/tokenizer/tokenizer_json.h"
#include "tests/fuzz/tokenizer_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t border = std::min(input.find('\n'), size);
  const auto file = ParseJson(input.substr(0, border));
  if (!file) return 0;
  auto config = ParseJson(input.substr(std::min(border + 1, size)));
  if (!config || !config->is_object()) config = Json::object();
  auto parts = engine::ReadTokenizerJson(*file, *config);
  if (!parts) return 0;
  const auto tokenizer = engine::PipelineTokenizer::Create(std::move(*parts));
  if (tokenizer) engine::CheckTokenizer(**tokenizer);
  return 0;
}
