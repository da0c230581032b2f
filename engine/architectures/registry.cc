#include "engine/architectures/registry.h"

#include <algorithm>

namespace skerry::engine {

std::span<const Architecture* const> Architectures() {
  static const Architecture* const kAll[] = {
      &LlamaArchitecture(),  &MistralArchitecture(), &MixtralArchitecture(),
      &Qwen2Architecture(),  &Qwen3Architecture(),   &Qwen3MoeArchitecture(),
      &Gemma3Architecture(), &GptOssArchitecture(),  &BertArchitecture(),
  };
  return kAll;
}

const Architecture* FindByModelType(std::string_view model_type, const Wrapper** wrapper) {
  *wrapper = nullptr;
  for (const Architecture* architecture : Architectures()) {
    if (architecture->hugging_face.model_type == model_type) return architecture;
    for (const Wrapper& candidate : architecture->hugging_face.wrappers) {
      if (candidate.model_type != model_type) continue;
      *wrapper = &candidate;
      return architecture;
    }
  }
  return nullptr;
}

const Architecture* FindByGgufName(std::string_view name) {
  for (const Architecture* architecture : Architectures()) {
    if (std::ranges::find(architecture->gguf.names, name) != architecture->gguf.names.end()) {
      return architecture;
    }
  }
  return nullptr;
}

const TensorName* FindTensorName(const Architecture& architecture, std::string_view name) {
  for (const std::span<const TensorName> table : architecture.names) {
    const auto row = std::ranges::find(table, name, &TensorName::name);
    if (row != table.end()) return &*row;
  }
  return nullptr;
}

}  // namespace skerry::engine
