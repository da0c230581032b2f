// The normalizer, pre-tokenizer and post-processor of tokenizer.json. What is not understood is
// refused by name (kInvalidArgument).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/json.h"
#include "engine/tokenizer/added_tokens.h"
#include "engine/tokenizer/normalizer.h"
#include "engine/tokenizer/pre_tokenizer.h"

namespace skerry::engine::internal {

struct NormalizerSpec {
  std::unique_ptr<Normalizer> normalizer;  // null: none
  bool prepends = false;                   // puts something before every text
};
Result<NormalizerSpec> ReadNormalizer(const Json& spec);

struct PreTokenizerSpec {
  std::unique_ptr<PreTokenizer> pre_tokenizer;  // null: none
  bool over_bytes = false;                      // has ByteLevel
  bool words_are_byte_level = false;            // words come out in ByteLevel's characters
  bool prepends = false;
};
Result<PreTokenizerSpec> ReadPreTokenizer(const Json& spec);

// The tokens put around a text, by id.
struct Surroundings {
  std::optional<TokenId> before;
  std::optional<TokenId> behind;
};
Result<Surroundings> ReadPostProcessor(const Json& spec);

}  // namespace skerry::engine::internal
