// What the engine needs to know about a model, whichever file it came from.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace skerry::engine {

enum class Architecture { kLlama, kMistral };
std::string_view ArchitectureName(Architecture architecture);  // "llama"

struct ModelConfig {
  Architecture architecture = Architecture::kLlama;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t n_layers = 0;
  int64_t n_heads = 0;
  int64_t n_kv_heads = 0;  // divides n_heads
  int64_t head_dim = 0;    // even; may differ from hidden_size / n_heads
  int64_t vocab_size = 0;
  int64_t max_position = 0;  // tokens
  float rms_eps = 0;

  double rope_theta = 10000.0;
  // Divides the frequency of each of the head_dim / 2 pairs; empty: none (all 1).
  std::vector<float> rope_divisors;
  // A token sees itself and the sliding_window - 1 tokens before it; 0: everything before it.
  int64_t sliding_window = 0;
  bool tie_word_embeddings = false;

  int32_t bos_id = -1;           // -1: the checkpoint names none
  std::vector<int32_t> eos_ids;  // sorted; every id that ends an answer
};

}  // namespace skerry::engine
