// What a model's files say of it: architecture, types of tensors, size, licence. For people, for
// the SBOM and for judging whether a machine can run it; nothing here decides whether it is
// trusted.
#pragma once

#include <cstdint>
#include <string>

#include "appliance/base/result.h"
#include "bundler/inspect/model.h"
#include "bundler/inspect/safetensors.h"

namespace skerry::inspect {

struct ModelFacts {
  ModelFormat format = ModelFormat::kHuggingFace;
  std::string architecture;  // 'model_type' of config.json, or 'general.architecture'; may be empty
  // 'tokenizer.ggml.model' of a GGUF file, else the tokenizer's file; empty: none was found.
  std::string tokenizer;
  bool split_gguf = false;
  TensorElements elements;    // of all weights
  uint64_t weight_bytes = 0;  // size of the files with weights
  std::string name;           // as GGUF metadata has it; printable ASCII, as all texts here
  std::string license;        // the same
  // 0: the files do not say.
  uint64_t layers = 0;
  uint64_t kv_heads = 0;
  uint64_t head_dim = 0;
  uint64_t context_tokens = 0;

  uint64_t TotalElements() const;
  // Keys and values of one token with elements of `element_bytes`; 0 when the geometry is unknown.
  uint64_t KvBytesPerToken(uint64_t element_bytes) const;
};

// Of files that InspectModel found to be of `format`; errors as there.
Result<ModelFacts> ReadFacts(const ModelFiles& files, ModelFormat format);

// `text` with everything but printable ASCII replaced by '?', at most `max_bytes`.
std::string Printable(std::string_view text, size_t max_bytes = 200);

}  // namespace skerry::inspect
