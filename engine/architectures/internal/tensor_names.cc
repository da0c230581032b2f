#include "engine/architectures/internal/tensor_names.h"

#include <charconv>

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kLayers = "layers.";

constexpr std::string_view kOtherParts[] = {
    "vision_tower.",       "vision_encoder.",       "multi_modal_projector.",
    "model.vision_tower.", "model.vision_encoder.", "model.multi_modal_projector.",
};

struct Prefix {
  std::string_view outer;
  std::string_view plain;
};
constexpr Prefix kPrefixes[] = {
    {"language_model.model.", "model."},
    {"language_model.lm_head.", "lm_head."},
    {"model.language_model.", "model."},
};

}  // namespace

PlanTensor SplitName(std::string_view name) {
  if (!name.starts_with(kLayers)) return {name, -1};
  const std::string_view rest = name.substr(kLayers.size());
  int64_t layer = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), layer);
  const auto n_digits = static_cast<size_t>(end - rest.data());
  if (error != std::errc() || n_digits >= rest.size() || rest[n_digits] != '.') return {name, -1};
  return {rest.substr(n_digits + 1), layer};
}

std::string_view NameIn(Layout layout, const TensorName& row) {
  switch (layout) {
    case Layout::kHuggingFace:
      return row.hugging_face;
    case Layout::kMistral:
      return row.mistral;
    case Layout::kGguf:
      return row.gguf;
  }
  return "";
}

std::string Expand(std::string_view pattern, int64_t layer, int64_t expert) {
  std::string name;
  for (const char c : pattern) {
    if (c == '#') {
      name += std::to_string(layer);
    } else if (c == '*') {
      name += std::to_string(expert);
    } else {
      name += c;
    }
  }
  return name;
}

std::string WithoutPrefix(std::string_view name, const Architecture& architecture, bool wrapped) {
  if (wrapped) {
    for (const std::string_view part : kOtherParts) {
      if (name.starts_with(part)) return "";
    }
    for (const Prefix& prefix : kPrefixes) {
      if (!name.starts_with(prefix.outer)) continue;
      return std::string(prefix.plain) + std::string(name.substr(prefix.outer.size()));
    }
  }
  // Embedding models are saved without their head, and then without the prefix.
  const bool bare =
      name.starts_with(kLayers) || name.starts_with("embed_tokens.") || name.starts_with("norm.");
  if (bare && architecture.generates) return "model." + std::string(name);
  return std::string(name);
}

}  // namespace skerry::engine::internal
