// Pieces of LoadTokenizer that lie in files of their own.
#pragma once

#include <string>

#include "appliance/base/result.h"
#include "engine/tokenizer/load.h"

namespace skerry::engine::internal {

// From the metadata of a GGUF file (tokenizer.ggml.*).
Result<LoadedTokenizer> LoadGgufTokenizer(const std::string& path);

// Adds the tokenizer's end token, drops ids outside the vocabulary, sorts.
void FinishStopTokens(LoadedTokenizer& loaded);

}  // namespace skerry::engine::internal
