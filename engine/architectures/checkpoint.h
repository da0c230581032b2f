// One view over a model's files: a Hugging Face folder (config.json and safetensors), Mistral's own
// (params.json) or GGUF. Names, shapes and the order of rotary pairs are the same whichever it was.
//
// Tensors are named as the steps of the architecture's plan name them: "embed", and for layer N
// "layers.N.attn_q". Matrices are [out, in]. Rows of attn_q and attn_k are in half-split order:
// pair i of a head is (i, i + head_dim/2).
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/architectures/architecture.h"
#include "engine/architectures/model_config.h"
#include "engine/formats/gguf.h"
#include "engine/formats/safetensors.h"
#include "engine/formats/tensor.h"

namespace skerry::engine {

// Which configuration of a folder to go by; kAuto: config.json where its weights are there, too,
// else params.json.
enum class ConfigFormat { kAuto, kHuggingFace, kMistral };

// Immutable after Open; thread-safe.
class Checkpoint {
 public:
  // `path`: a folder with config.json and model.safetensors (or an index and its shards), one with
  // params.json and consolidated*.safetensors, a .gguf file (the first of its parts), or a folder
  // whose only checkpoint is one of GGUF. kInvalidArgument for what is
  // well-formed but not supported (architecture, configuration, element type, a tensor nothing
  // would use), naming it; kCorrupt for what contradicts itself; kNotFound when there is no model.
  static Result<Checkpoint> Open(const std::string& path,
                                 ConfigFormat format = ConfigFormat::kAuto);

  const ModelConfig& config() const { return config_; }

  // The folder that holds the files: tokenizer and template files lie there, too.
  const std::string& folder() const { return folder_; }
  // The GGUF file, for its tokenizer metadata; null for a folder.
  const GgufFile* gguf() const { return gguf_.get(); }

  // The tensor, which must have this shape. Bytes are the file's mapping where possible, else a
  // copy (rows to be reordered, unaligned data); either stays valid without this object. kNotFound
  // and kCorrupt name the tensor as the file spells it, and both shapes.
  Result<Tensor> Load(std::string_view name, std::span<const int64_t> shape) const;

  // The same for a tensor of `shape` [experts, ...]: each expert's own, without the first
  // dimension.
  Result<std::vector<Tensor>> LoadExperts(std::string_view name,
                                          std::span<const int64_t> shape) const;

 private:
  // A tensor of the files, found by the name that the architecture's tables have for it.
  struct Source {
    std::string spelled;  // by the file: with the prefix of a multimodal model
    std::string file;
    std::string type;  // as DTypeName, or one that only some architectures read
    std::vector<int64_t> shape;
    std::span<const uint8_t> bytes;
    std::shared_ptr<const void> mapping;
    Scales scales = {};
  };
  struct Place;

  Checkpoint() = default;
  Result<void> OpenFolder(const std::string& path);
  Result<void> OpenMistral(const std::string& path);
  Result<void> OpenGguf(const std::string& path);
  Result<void> AddSafetensors(const SafetensorsFile& file);
  Result<void> PairScales();
  Result<void> CheckSources();
  Result<Place> FindPlace(std::string_view name) const;
  Result<const Source*> Find(const std::string& name, std::span<const int64_t> shape) const;
  Result<Tensor> Make(const Source& source, const Place& place, std::span<const uint8_t> bytes,
                      std::span<const int64_t> shape) const;
  Result<std::vector<Tensor>> LoadMxfp4Experts(const Place& place,
                                               std::span<const int64_t> shape) const;

  ModelConfig config_;
  Layout layout_ = Layout::kHuggingFace;
  std::string folder_;
  std::shared_ptr<const GgufFile> gguf_;  // its strings must not move when this object does
  std::map<std::string, Source, std::less<>> sources_;
};

// What Checkpoint::Open can load, from the tables that it decides by.
struct CheckpointSupport {
  std::vector<std::string_view> huggingface;   // 'model_type' of config.json
  std::vector<std::string_view> mistral;       // params.json, which names none
  std::vector<std::string_view> gguf;          // 'general.architecture'
  std::vector<std::string_view> tensor_types;  // as DTypeName; some only in certain tensors
};
CheckpointSupport SupportedCheckpoints();

}  // namespace skerry::engine
