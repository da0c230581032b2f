#include "engine/architectures/internal/tensor_names.h"

#include <algorithm>
#include <charconv>
#include <span>

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kLayers = "layers.";

// Parts of multimodal models that are not text, in all layouts.
constexpr std::string_view kOtherParts[] = {
    "vision_tower.",
    "vision_encoder.",
    "multi_modal_projector.",
    "model.vision_tower.",
    "model.vision_encoder.",
    "model.multi_modal_projector.",
    "vision_language_adapter.",
    "patch_merger.",
    "pre_mm_projector_norm.",
};

struct Prefix {
  std::string_view written;
  std::string_view plain;
};
constexpr Prefix kOuterPrefixes[] = {
    {"language_model.model.", "model."},
    {"language_model.lm_head.", "lm_head."},
    {"model.language_model.", "model."},
};
// Embedding models are often saved without their head, and then without or with another prefix.
constexpr Prefix kBarePrefixes[] = {
    {"layers.", "model.layers."},
    {"embed_tokens.", "model.embed_tokens."},
    {"norm.", "model.norm."},
    {"bert.", ""},
};

std::string Replaced(std::string_view name, std::span<const Prefix> prefixes) {
  for (const Prefix& prefix : prefixes) {
    if (!name.starts_with(prefix.written)) continue;
    return std::string(prefix.plain) + std::string(name.substr(prefix.written.size()));
  }
  return std::string(name);
}

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

bool IsOtherPart(std::string_view name) {
  return std::ranges::any_of(kOtherParts,
                             [&](std::string_view part) { return name.starts_with(part); });
}

std::string PlainName(std::string_view name, bool wrapped) {
  return wrapped ? Replaced(name, kOuterPrefixes) : Replaced(name, kBarePrefixes);
}

}  // namespace skerry::engine::internal
