// Reads tokenizer.json (Hugging Face): BPE over bytes or characters, unigram and WordPiece. Parts
// that are not understood are refused by name, since a tokenizer that leaves one out gives wrong
// ids.
#pragma once

#include "appliance/base/json.h"
#include "appliance/base/result.h"
#include "engine/tokenizer/pipeline_tokenizer.h"

namespace skerry::engine {

struct TokenizerJsonLimits {
  static constexpr size_t kMaxFileBytes = 128 << 20;
};

// `config`: tokenizer_config.json or an empty object. It names the begin and end tokens, says
// whether they are added, and may know more added tokens. kInvalidArgument naming what is not
// supported, kCorrupt for what contradicts itself, kExhausted beyond the limits.
Result<PipelineParts> ReadTokenizerJson(const Json& file, const Json& config);

}  // namespace skerry::engine
