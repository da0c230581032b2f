// Finds and reads a checkpoint's tokenizer: a Hugging Face folder with `tokenizer.model`, a GGUF
// file, a folder with one GGUF file, or a SentencePiece model by itself. Weights are not touched.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/tokenizer/tokenizer.h"

namespace skerry::engine {

// What can be loaded: values of `tokenizer.ggml.model` of a GGUF file, and beside safetensors the
// file `tokenizer.model` (or `*.model.vN`) of SentencePiece.
inline constexpr std::string_view kGgufTokenizers[] = {"llama"};
inline constexpr std::string_view kFolderTokenizers[] = {"tokenizer.model"};

struct LoadedTokenizer {
  std::unique_ptr<Tokenizer> tokenizer;
  // Tokens that end a generation, sorted: the end token and what generation_config.json or the GGUF
  // metadata add to it.
  std::vector<TokenId> stop_tokens;
  std::string chat_template;  // as the checkpoint has it; empty when it has none
  std::string source;         // the file the vocabulary came from
};

// kNotFound when there is no tokenizer, kInvalidArgument naming what was found when it is of
// another kind, kCorrupt and kExhausted as the readers.
Result<LoadedTokenizer> LoadTokenizer(const std::string& path);

// `path` itself when it is a file, the folder's only GGUF file when it has no tokenizer files of
// its own, else the folder. kNotFound when there is nothing at `path`.
Result<std::string> ResolveCheckpoint(const std::string& path);

}  // namespace skerry::engine
