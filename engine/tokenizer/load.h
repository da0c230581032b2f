// Finds and reads a checkpoint's tokenizer: that of a Hugging Face folder, of Mistral's own, of a
// GGUF file or a folder with one, or a tokenizer file by itself. Weights are not touched.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/tokenizer/tokenizer.h"

namespace skerry::engine {

// What can be loaded: values of `tokenizer.ggml.model` of a GGUF file, and files of a folder
// (`tokenizer.model` stands for Mistral's `*.model.vN` too).
inline constexpr std::string_view kGgufTokenizers[] = {"llama", "gpt2", "bert", "t5"};
inline constexpr std::string_view kFolderTokenizers[] = {"tokenizer.json", "tekken.json",
                                                         "tokenizer.model", "vocab.txt"};

struct LoadedTokenizer {
  std::unique_ptr<Tokenizer> tokenizer;
  // Tokens that end a generation, sorted: the end token and what generation_config.json or the GGUF
  // metadata add to it.
  std::vector<TokenId> stop_tokens;
  std::string source;  // the file the vocabulary came from
  // "v1", "v3", ... as tekken.json or the name of Mistral's SentencePiece file says; empty for
  // every other tokenizer.
  std::string mistral_version;
};

// Which of several tokenizers of a folder counts.
enum class TokenizerMode {
  kAuto,         // Mistral's own when there is one (tekken.json, *.model.vN), else as Hugging Face
  kMistral,      // Mistral's own only; tokenizer.model too
  kHuggingFace,  // tokenizer.json, else tokenizer.model, else vocab.txt
};

// kNotFound when there is no tokenizer, kInvalidArgument naming what was found when it is of
// another kind, kCorrupt and kExhausted as the readers.
Result<LoadedTokenizer> LoadTokenizer(const std::string& path,
                                      TokenizerMode mode = TokenizerMode::kAuto);

// `path` itself when it is a file, the folder's only GGUF file (the first part of a split one) when
// it has no tokenizer files of its own, else the folder. kNotFound when there is nothing at `path`.
Result<std::string> ResolveCheckpoint(const std::string& path);

}  // namespace skerry::engine
