// Pieces of LoadTokenizer that lie in files of their own.
#pragma once

#include <string>
#include <vector>

#include "appliance/base/json.h"
#include "appliance/base/result.h"
#include "engine/tokenizer/load.h"
#include "engine/tokenizer/pipeline_tokenizer.h"

namespace skerry::engine::internal {

// From the metadata of a GGUF file (tokenizer.ggml.*).
Result<LoadedTokenizer> LoadGgufTokenizer(const std::string& path);

// One file each, with `config`, tokenizer_config.json or an empty object.
Result<LoadedTokenizer> LoadSpmFile(const std::string& path, const Json& config);
Result<LoadedTokenizer> LoadTokenizerJson(const std::string& path, const Json& config);
Result<LoadedTokenizer> LoadTekkenFile(const std::string& path);
Result<LoadedTokenizer> LoadVocabTxt(const std::string& path, const Json& config);
// tokenizer.json or tekken.json, whatever its name is.
Result<LoadedTokenizer> LoadJsonFile(const std::string& path);

// The tokenizer of `parts`, from the file `path`.
Result<LoadedTokenizer> FromParts(PipelineParts parts, const std::string& path);

// What a folder knows besides the vocabulary.
Result<Json> ReadTokenizerConfig(const std::string& folder);  // an empty object when absent
Result<void> ReadStopTokens(const std::string& folder, LoadedTokenizer& loaded);
Result<std::vector<std::string>> ListFolder(const std::string& folder);

Result<std::string> ReadTextFile(const std::string& path, size_t max_bytes);
Result<Json> ReadJsonFile(const std::string& path, size_t max_bytes);

// Adds the tokenizer's end token, drops ids outside the vocabulary, sorts.
void FinishStopTokens(LoadedTokenizer& loaded);

}  // namespace skerry::engine::internal
