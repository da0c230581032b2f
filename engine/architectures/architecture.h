// One architecture: how checkpoints name it and its tensors, which configuration keys it knows, and
// its plan. docs/engine/architectures.md explains how to add one.
#pragma once

#include <span>
#include <string_view>

#include "appliance/base/json.h"
#include "appliance/base/result.h"
#include "engine/architectures/layer_plan.h"
#include "engine/architectures/model_config.h"

namespace skerry::engine {

class GgufReader;

// The forms in which a model is published.
enum class Layout { kHuggingFace, kMistral, kGguf };

// How a Hugging Face tensor becomes one of ours.
enum class Form {
  kWhole,
  kEvenRows,  // of each expert: the gate of a matrix that interleaves gate and up
  kOddRows,   // the up part of it
};

// A tensor's name in each layout, empty where it cannot occur. '#' stands for the layer's number,
// '*' for the expert's; without a '*' the experts' matrices lie in one tensor with a leading
// dimension.
struct TensorName {
  std::string_view name = {};
  std::string_view hugging_face = {};
  std::string_view gguf = {};
  std::string_view mistral = {};
  Form form = Form::kWhole;  // of the Hugging Face tensor
};

// A configuration key that would change the mathematics, with the one value that does not.
struct Neutral {
  std::string_view key = {};
  const char* value;  // JSON
};

// A multimodal model that holds a text model of this architecture: its configuration is
// 'text_config', where keys with the class's default value may be absent.
struct Wrapper {
  std::string_view model_type = {};
  std::string_view class_name = {};
  const char* text_defaults = "{}";  // JSON
};

// What the architecture calls itself in config.json, and what it reads there.
struct HuggingFaceSide {
  std::string_view model_type = {};
  std::string_view class_name = {};                // the one element of 'architectures'
  std::span<const std::string_view> keys = {};     // read by `read`, beyond those of every decoder
  std::span<const std::string_view> ignored = {};  // say nothing about the forward pass
  std::span<const Neutral> neutral = {};
  Result<void> (*read)(const Json& config, ModelConfig& out) = nullptr;
  std::span<const Wrapper> wrappers = {};
};

struct GgufSide {
  std::span<const std::string_view> names = {};  // values of general.architecture
  std::span<const std::string_view> keys = {};   // behind "NAME.", beyond those of every decoder
  Result<void> (*read)(const GgufReader& reader, ModelConfig& out) = nullptr;
  bool rotary_pairs = false;  // rows of q and k lie in adjacent rotary pairs
};

// Null members where the architecture has no such layout.
struct Architecture {
  std::string_view name = {};  // for messages: "qwen3"
  HuggingFaceSide hugging_face = {};
  GgufSide gguf = {};

  // Tables of tensor names, searched in this order.
  std::span<const std::span<const TensorName>> names = {};
  // Hugging Face tensors that nothing needs; a trailing '.' stands for everything below.
  std::span<const std::string_view> ignored_tensors = {};
  bool zero_centred_norms = false;  // Hugging Face stores the norms' weights minus 1

  std::span<const Step> input = {};
  std::span<const Step> layer = {};
  std::span<const Step> output = {};  // on the rows whose results are wanted
  bool generates = true;              // logits follow: `output` times lm_head
  bool causal = true;                 // a token does not see those after it
};

// Null when there is no such row.
const TensorName* FindTensorName(const Architecture& architecture, std::string_view name);

}  // namespace skerry::engine
