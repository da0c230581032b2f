// What readers of several formats have in common.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "appliance/base/json.h"
#include "engine/tokenizer/pipeline_tokenizer.h"

namespace skerry::engine::internal {

// A number that may be a token's id; nullopt for everything else.
std::optional<TokenId> AsTokenId(const Json& value);

// `piece` with U+2581 as the space it stands for.
std::string SpacesShown(std::string_view piece);

// A WordPiece model of parts.tokens by their names: those that begin with `prefix` continue a word.
// Fills in what each adds to a text. kCorrupt when the unknown token is missing.
Result<void> MakeWordPiece(std::string_view prefix, std::string_view unknown, size_t max_word_chars,
                           PipelineParts& parts);

// BERT's stages around it.
Result<void> AddBertStages(const BertNormalizerOptions& options, PipelineParts& parts);

}  // namespace skerry::engine::internal
