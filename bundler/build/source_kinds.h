// What a file is for, told by its name alone: which of the files that lie beside a model travel.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace skerry::build {

enum class NameKind {
  kModel,         // weights, configuration, tokenizer, templates, plain text
  kDocument,      // licence or model card: travels beside the model
  kLeftBehind,    // of version control or a download tool: of no use to anybody else
  kUnfinished,    // a download that has not ended
  kOtherWeights,  // weights in a form that is not used here: PyTorch, Flax, ONNX, ...
  kProjector,     // of a vision model, llama.cpp's "mmproj" files
  kUnknown,
};

// `name`: relative to the model's folder, also of a directory (only kLeftBehind and kOtherWeights
// are told for those).
NameKind KindOfName(std::string_view name);

// What to give --exclude so that `name`, of kind kOtherWeights, stays out together with its like:
// "pytorch_model*.bin", "onnx".
std::string ExcludePattern(std::string_view name);

// "NAME-00002-of-00003.gguf", as llama.cpp's gguf-split writes it.
struct GgufPart {
  std::string_view prefix;  // "NAME"
  int part = 0;             // from 1
  int count = 0;
};
std::optional<GgufPart> ParseGgufPart(std::string_view name);

}  // namespace skerry::build
