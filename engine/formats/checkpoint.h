// One view over a model's files: a Hugging Face folder (config.json and safetensors) or GGUF.
// Names, shapes and the order of rotary pairs are the same whichever it was.
//
// Tensor names: "embed", "final_norm", "lm_head" (absent when tied), and for each layer N
// "layers.N." + "attn_norm attn_q attn_k attn_v attn_out mlp_norm mlp_gate mlp_up mlp_down".
// Matrices are [out, in]. Rows of attn_q and attn_k are in half-split order: pair i of a head is
// (i, i + head_dim/2).
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/formats/gguf.h"
#include "engine/formats/model_config.h"
#include "engine/formats/tensor.h"

namespace skerry::engine {

// Immutable after Open; thread-safe.
class Checkpoint {
 public:
  // `path`: a folder with config.json and model.safetensors (or an index and its shards), a .gguf
  // file, or a folder whose only checkpoint is one .gguf file. kInvalidArgument for what is
  // well-formed but not supported (architecture, configuration, element type, a tensor nothing
  // would use), naming it; kCorrupt for what contradicts itself; kNotFound when there is no model.
  static Result<Checkpoint> Open(const std::string& path);

  const ModelConfig& config() const { return config_; }

  // The folder that holds the files: tokenizer and template files lie there, too.
  const std::string& folder() const { return folder_; }
  // The GGUF file, for its tokenizer metadata; null for a Hugging Face folder.
  const GgufFile* gguf() const { return gguf_.get(); }

  bool Has(std::string_view name) const { return entries_.contains(name); }
  std::vector<std::string_view> Names() const;  // sorted

  // The tensor, which must have this shape. Bytes are the file's mapping where possible, else a
  // copy (rows to be reordered, unaligned data); either stays valid without this object. kNotFound
  // and kCorrupt name the tensor as the file spells it, and both shapes.
  Result<Tensor> Load(std::string_view name, std::span<const int64_t> shape) const;

 private:
  struct Entry {
    std::string source_name;  // as the file spells it
    std::string file;
    DType dtype = DType::kF32;
    std::vector<int64_t> shape;
    std::span<const uint8_t> bytes;
    std::shared_ptr<const void> mapping;
    int64_t interleaved_heads = 0;  // > 0: rows of that many heads have adjacent rotary pairs
  };

  Checkpoint() = default;
  Result<void> OpenFolder(const std::string& path);
  Result<void> OpenGguf(const std::string& path);

  ModelConfig config_;
  std::string folder_;
  std::shared_ptr<const GgufFile> gguf_;  // its strings must not move when this object does
  std::map<std::string, Entry, std::less<>> entries_;
};

// What Checkpoint::Open can load, from the tables that it decides by.
struct CheckpointSupport {
  std::vector<std::string_view> huggingface;   // 'model_type' of config.json
  std::vector<std::string_view> gguf;          // 'general.architecture'
  std::vector<std::string_view> tensor_types;  // as DTypeName
};
CheckpointSupport SupportedCheckpoints();

}  // namespace skerry::engine
