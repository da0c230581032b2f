// The models of tokenizer.json: vocabulary, merges, scores.
#pragma once

#include "appliance/base/json.h"
#include "engine/tokenizer/pipeline_tokenizer.h"

namespace skerry::engine::internal {

// Fills in `model` and, by id, `tokens`. `over_bytes`: the vocabulary spells bytes (ByteLevel).
Result<void> ReadModel(const Json& spec, bool over_bytes, PipelineParts& parts);

}  // namespace skerry::engine::internal
