// libFuzzer target: config.json. An accepted configuration must keep the promises the loader builds
// on.
#include <cstdlib>
#include <string_view>

#include "engine/architectures/internal/readers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::engine;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t cut = text.find('\0');
  const bool two = cut != std::string_view::npos;
  const auto config =
      internal::ReadHuggingFaceConfig(text.substr(0, cut), two ? text.substr(cut + 1) : "");
  if (!config) return 0;
  if (config->n_kv_heads < 1 || config->n_heads % config->n_kv_heads != 0) abort();
  if (config->head_dim < 2 || config->head_dim % 2 != 0 || config->vocab_size < 1) abort();
  if (config->n_layers < 1 || config->hidden_size < 1 || config->max_position < 1) abort();
  return 0;
}
