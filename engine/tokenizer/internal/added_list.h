// Added tokens as tokenizer.json and tokenizer_config.json list them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "appliance/base/json.h"
#include "engine/tokenizer/pipeline_tokenizer.h"

namespace skerry::engine::internal {

// The text of a token that is given as a string or as an object with "content"; empty otherwise.
std::string TokenText(const Json& token);

// "added_tokens" of tokenizer.json. Ids below `model_size` are the model's own tokens.
Result<void> ReadAddedTokens(const Json& list, size_t model_size, PipelineParts& parts);
// "added_tokens_decoder" of tokenizer_config.json: what it knows beyond.
Result<void> ReadAddedTokensDecoder(const Json& config, size_t model_size, PipelineParts& parts);

// An added token's id, else one of the vocabulary.
std::optional<TokenId> FindByName(const PipelineParts& parts, std::string_view name);

// The token is structure: no text becomes it and it adds nothing to a text.
void MarkControl(TokenId id, PipelineParts& parts);

}  // namespace skerry::engine::internal
