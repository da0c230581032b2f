// What the engine needs to know about a model, whichever file it came from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "appliance/base/result.h"
#include "engine/architectures/quantization.h"

namespace skerry::engine {

struct Architecture;
struct Wrapper;

// Pair i of a head turns by theta^(-2i / head_dim) / divisors[i] radians per token.
struct RopeTable {
  double theta = 10000.0;
  std::vector<double> divisors;  // of the head_dim / 2 pairs; empty: none (all 1)
  double scale = 1;              // multiplies every sine and cosine
};

// Queries at a position are multiplied by 1 + beta * ln(1 + floor(position / length)), so that
// attention stays sharp in a long context; Llama 4's and Mistral's files call it llama_4_scaling.
struct QueryScale {
  double beta = 0;  // 0: they stay as they are
  int64_t length = 1;
};

struct LayerConfig {
  // A token sees itself and the window - 1 tokens before it; 0: everything before it.
  int64_t window = 0;
  int32_t rope = 0;      // index into ModelConfig::ropes
  bool experts = false;  // its MLP is made of experts
};

// What one vector per text is made of.
enum class Pooling { kNone, kCls, kMean, kLast };

struct ModelConfig {
  const Architecture* architecture = nullptr;  // of the registry; never null once read
  const Wrapper* wrapper = nullptr;            // the multimodal class it is the text model of
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t n_layers = 0;
  int64_t n_heads = 0;
  int64_t n_kv_heads = 0;  // divides n_heads
  int64_t head_dim = 0;    // even; may differ from hidden_size / n_heads
  int64_t vocab_size = 0;
  int64_t max_position = 0;  // tokens
  float norm_eps = 0;
  bool tie_word_embeddings = false;

  std::vector<RopeTable> ropes;     // empty: the layers do not rotate
  std::vector<LayerConfig> layers;  // n_layers of them

  // Parts that some models of an architecture have and others lack: see When.
  bool qkv_bias = false;
  bool attention_out_bias = false;
  bool mlp_bias = false;
  bool qk_norm = false;

  QueryScale query_scale;
  float attention_scale = 0;     // of the dot products; 0: 1 / sqrt(head_dim)
  float attention_soft_cap = 0;  // dot products become cap * tanh(x / cap); 0: as they are
  float logit_soft_cap = 0;      // the same for logits
  float embed_scale = 1;         // multiplies the embeddings

  int64_t n_experts = 0;  // 0: no layer has experts
  int64_t experts_per_token = 0;
  int64_t expert_size = 0;        // intermediate size of one expert
  bool normalise_experts = true;  // the shares of a token's experts add up to 1
  float gate_limit = 0;           // clamps what enters the experts' gate

  int64_t n_token_types = 0;  // rows of the token type embedding
  Pooling pooling = Pooling::kNone;
  bool normalise_embedding = false;  // pooled vectors get length 1

  Quantization quantization;  // of matrices stored as FP8

  int32_t bos_id = -1;             // -1: the checkpoint names none
  std::vector<int32_t> eos_ids;    // sorted; every id that ends an answer
  std::vector<std::string> notes;  // what of the checkpoint is left out, a sentence each
};

// Ranges, divisibility, ids within the vocabulary; kInvalidArgument says which. Every reader of
// configurations ends with it.
Result<void> ValidateConfig(const ModelConfig& config);

}  // namespace skerry::engine
