// Tokenizers inside GGUF files, by their kind.
#pragma once

#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "engine/formats/gguf.h"
#include "engine/tokenizer/pipeline_tokenizer.h"
#include "engine/tokenizer/spm_model.h"

namespace skerry::engine::internal {

inline std::string GgufTokenizerKey(std::string_view name) {
  return "tokenizer.ggml." + std::string(name);
}

// An id of the metadata; `fallback` when absent, -1 when outside the vocabulary.
Result<int32_t> ReadGgufTokenId(const GgufFile& file, std::string_view name, int64_t fallback,
                                size_t vocab_size);

// Tokens, scores (zero when the file has none) and types.
Result<std::vector<SpmPiece>> ReadGgufPieces(const GgufFile& file, bool scores_needed);

Result<PipelineParts> ReadGgufBpe(const GgufFile& file);        // gpt2
Result<PipelineParts> ReadGgufWordPiece(const GgufFile& file);  // bert
Result<PipelineParts> ReadGgufUnigram(const GgufFile& file);    // t5

}  // namespace skerry::engine::internal
