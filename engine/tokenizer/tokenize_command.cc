#include "engine/tokenizer/tokenize_command.h"

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "engine/tokenizer/load.h"

namespace skerry::engine {
namespace {

std::vector<TokenId> EncodeOne(const Tokenizer& tokenizer, bool special, std::string_view text) {
  return special ? EncodeWithControl(tokenizer, text) : tokenizer.Encode(text);
}

}  // namespace

Result<std::string> RunTokenize(const TokenizeCommand& command, std::string_view input) {
  const LoadedTokenizer loaded = TRY(LoadTokenizer(command.model_path));
  if (!command.json) {
    return DumpJson(EncodeOne(*loaded.tokenizer, command.special, input)) + "\n";
  }
  JsonLimits limits;
  limits.max_bytes = kMaxTokenizeInput;
  const Json texts = TRY(ParseJson(input, limits).WithContext("standard input"));
  if (!texts.is_array()) {
    return Error(ErrorCode::kInvalidArgument, "standard input must be a JSON array of strings");
  }
  Json result = Json::array();
  for (const Json& text : texts) {
    if (!text.is_string()) {
      return Error(ErrorCode::kInvalidArgument, "standard input must be a JSON array of strings");
    }
    result.push_back(
        EncodeOne(*loaded.tokenizer, command.special, text.get_ref<const std::string&>()));
  }
  return DumpJson(result) + "\n";
}

}  // namespace skerry::engine
