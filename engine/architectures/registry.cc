#include "engine/architectures/registry.h"

#include <algorithm>

namespace skerry::engine {

std::span<const Architecture* const> Architectures() {
  static const Architecture* const kAll[] = {
      &LlamaArchitecture(),    &MistralArchitecture(), &Ministral3Architecture(),
      &MixtralArchitecture(),  &Qwen2Architecture(),   &Qwen3Architecture(),
      &Qwen3MoeArchitecture(), &Gemma3Architecture(),  &GptOssArchitecture(),
      &BertArchitecture(),
  };
  return kAll;
}

const Architecture* FindByModelType(std::string_view model_type, std::string_view text_type,
                                    const Wrapper** wrapper) {
  *wrapper = nullptr;
  const Architecture* found = nullptr;
  for (const Architecture* architecture : Architectures()) {
    const HuggingFaceSide& side = architecture->hugging_face;
    if (side.model_type == model_type) return architecture;
    for (const Wrapper& candidate : side.wrappers) {
      if (candidate.model_type != model_type) continue;
      if (found != nullptr && side.model_type != text_type) continue;
      *wrapper = &candidate;
      found = architecture;
    }
  }
  return found;
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
