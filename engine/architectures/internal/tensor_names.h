// From a tensor of the plan to the tensors of a file that hold it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/architectures/architecture.h"

namespace skerry::engine::internal {

struct PlanTensor {
  std::string_view row;  // "attn_q"
  int64_t layer = -1;    // -1: the model's own
};
// "layers.3.attn_q" -> attn_q of layer 3; "embed" -> embed.
PlanTensor SplitName(std::string_view name);

// The row's name in a layout; empty when it cannot occur there.
std::string_view NameIn(Layout layout, const TensorName& row);

// The name with the numbers of layer and expert in the places of '#' and '*'.
std::string Expand(std::string_view pattern, int64_t layer, int64_t expert = -1);

// Whether a tensor belongs to a part of a multimodal model that is not text.
bool IsOtherPart(std::string_view name);

// A Hugging Face tensor's name as the tables have it. `wrapped`: it comes from a multimodal model,
// which puts a prefix before the text model's names.
std::string PlainName(std::string_view name, bool wrapped);

}  // namespace skerry::engine::internal
