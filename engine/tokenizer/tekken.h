// Reads tekken.json, Mistral's own tokenizer file: byte pairs ranked by their ids, as tiktoken has
// them, and special tokens before all others.
#pragma once

#include "appliance/base/json.h"
#include "appliance/base/result.h"
#include "engine/tokenizer/pipeline_tokenizer.h"

namespace skerry::engine {

struct Tekken {
  PipelineParts parts;
  std::string version;  // "v3", "v7", ...; empty when the file does not say
};

// kInvalidArgument naming what is not supported, kCorrupt for what contradicts itself, kExhausted
// beyond PipelineTokenizer's limits.
Result<Tekken> ReadTekken(const Json& file);

}  // namespace skerry::engine
