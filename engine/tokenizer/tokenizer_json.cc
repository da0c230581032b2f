#include "engine/tokenizer/tokenizer_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/tokenizer/internal/added_list.h"
#include "engine/tokenizer/internal/json_models.h"
#include "engine/tokenizer/internal/json_stages.h"

namespace skerry::engine {
namespace {

const Json& FieldOrNull(const Json& object, const char* key) {
  static const Json null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

// What the configuration says about a token put around a text, over what the post-processor does.
Result<void> ApplyRole(const Json& config, const char* token_key, const char* add_key,
                       std::optional<TokenId> around, PipelineParts& parts,
                       std::optional<TokenId>& role, bool& adds) {
  const std::string name = internal::TokenText(FieldOrNull(config, token_key));
  role = around;
  if (!name.empty()) {
    const std::optional<TokenId> id = internal::FindByName(parts, name);
    if (id) role = id;
  }
  adds = around.has_value();
  if (config.contains(add_key) && !config[add_key].is_null()) adds = TRY(GetBool(config, add_key));
  adds = adds && role.has_value();
  return {};
}

}  // namespace

Result<PipelineParts> ReadTokenizerJson(const Json& file, const Json& config) {
  if (!file.is_object()) return Error(ErrorCode::kCorrupt, "must be a JSON object");
  PipelineParts parts;
  internal::NormalizerSpec normalizer =
      TRY(internal::ReadNormalizer(FieldOrNull(file, "normalizer")));
  internal::PreTokenizerSpec pre =
      TRY(internal::ReadPreTokenizer(FieldOrNull(file, "pre_tokenizer")));
  const internal::Surroundings around =
      TRY(internal::ReadPostProcessor(FieldOrNull(file, "post_processor")));
  TRY(internal::ReadModel(FieldOrNull(file, "model"), pre.over_bytes, parts));
  const size_t model_size = parts.tokens.size();
  parts.model_tokens = model_size;
  TRY(internal::ReadAddedTokens(FieldOrNull(file, "added_tokens"), model_size, parts));
  TRY(internal::ReadAddedTokensDecoder(config, model_size, parts));
  parts.normalizer = std::move(normalizer.normalizer);
  parts.pre_tokenizer = std::move(pre.pre_tokenizer);
  parts.words_are_byte_level = pre.words_are_byte_level;
  parts.adds_leading_space = parts.adds_leading_space || normalizer.prepends || pre.prepends;
  TRY(ApplyRole(config, "bos_token", "add_bos_token", around.before, parts, parts.bos,
                parts.add_bos));
  TRY(ApplyRole(config, "eos_token", "add_eos_token", around.behind, parts, parts.eos,
                parts.add_eos));
  // A BERT template's tokens are called [CLS] and [SEP]; what stands around a text is never a part
  // of it, whatever its flags say.
  if (around.before && !parts.bos) parts.bos = around.before;
  if (around.behind && !parts.eos) parts.eos = around.behind;
  for (const std::optional<TokenId>& id : {parts.bos, parts.eos}) {
    if (id) internal::MarkControl(*id, parts);
  }
  return parts;
}

}  // namespace skerry::engine
