// Reads vocab.txt, BERT's own tokenizer file: one WordPiece token a line, its number the id.
#pragma once

#include <string_view>

#include "appliance/base/json.h"
#include "appliance/base/result.h"
#include "engine/tokenizer/pipeline_tokenizer.h"

namespace skerry::engine {

struct VocabTxtLimits {
  static constexpr size_t kMaxFileBytes = 64 << 20;
};

// `config`: tokenizer_config.json or an empty object: case, accents, names of the special tokens.
// kCorrupt for what is no such vocabulary.
Result<PipelineParts> ReadVocabTxt(std::string_view text, const Json& config);

}  // namespace skerry::engine
