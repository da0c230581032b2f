#include "engine/tokenizer/internal/added_list.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

namespace skerry::engine::internal {
namespace {

constexpr size_t kMaxAdded = 1 << 16;

Result<AddedToken> ReadFlags(const Json& item) {
  AddedToken token;
  token.text = TRY(GetString(item, "content"));
  token.strip_left = TRY(GetBoolOr(item, "lstrip", false));
  token.strip_right = TRY(GetBoolOr(item, "rstrip", false));
  token.whole_word = TRY(GetBoolOr(item, "single_word", false));
  return token;
}

// Adds `token` to the vocabulary and to the list. One of the model's own that is not special may be
// ordinary text.
Result<void> Add(AddedToken token, bool special, size_t model_size, PipelineParts& parts) {
  const auto place = static_cast<size_t>(token.id);
  if (token.text.empty() || token.text.size() > PipelineTokenizer::kMaxTokenBytes) {
    return Error(ErrorCode::kExhausted, "added token " + std::to_string(token.id) + " has " +
                                            std::to_string(token.text.size()) +
                                            " bytes; the limit is " +
                                            std::to_string(PipelineTokenizer::kMaxTokenBytes));
  }
  if (place >= PipelineTokenizer::kMaxTokens || parts.added.size() == kMaxAdded) {
    return Error(ErrorCode::kExhausted, "too many added tokens");
  }
  if (place >= parts.tokens.size()) parts.tokens.resize(place + 1);
  TokenInfo& info = parts.tokens[place];
  if (!info.name.empty() && info.name != token.text) {
    return Error(ErrorCode::kCorrupt, "token " + std::to_string(token.id) + " is '" +
                                          info.name.substr(0, 64) + "' and '" +
                                          token.text.substr(0, 64) + "'");
  }
  info.name = info.bytes = token.text;
  info.control = special;
  token.plain = !special && place < model_size && IsPlainName(token.text);
  parts.added.push_back(std::move(token));
  return {};
}

}  // namespace

std::string TokenText(const Json& token) {
  if (token.is_string()) return token.get<std::string>();
  if (!token.is_object()) return "";
  const auto content = token.find("content");
  return content != token.end() && content->is_string() ? content->get<std::string>() : "";
}

Result<void> ReadAddedTokens(const Json& list, size_t model_size, PipelineParts& parts) {
  if (list.is_null()) return {};
  if (!list.is_array()) return Error(ErrorCode::kCorrupt, "'added_tokens' must be an array");
  for (const Json& item : list) {
    AddedToken token = TRY(ReadFlags(item).WithContext("added_tokens"));
    const int64_t id = TRY(GetInt(item, "id").WithContext("added_tokens"));
    const bool special = TRY(GetBoolOr(item, "special", false).WithContext("added_tokens"));
    if (id < 0 || id >= static_cast<int64_t>(PipelineTokenizer::kMaxTokens)) {
      return Error(ErrorCode::kExhausted, "added token '" + token.text.substr(0, 64) +
                                              "' has the id " + std::to_string(id));
    }
    token.id = static_cast<TokenId>(id);
    TRY(Add(std::move(token), special, model_size, parts).WithContext("added_tokens"));
  }
  return {};
}

Result<void> ReadAddedTokensDecoder(const Json& config, size_t model_size, PipelineParts& parts) {
  const auto found = config.find("added_tokens_decoder");
  if (found == config.end() || !found->is_object()) return {};
  std::vector<std::pair<int64_t, const Json*>> more;
  for (const auto& [key, value] : found->items()) {
    if (key.empty() || key.size() > 8 || key.find_first_not_of("0123456789") != std::string::npos ||
        !value.is_object()) {
      return Error(ErrorCode::kCorrupt, "tokenizer_config.json: added_tokens_decoder: '" +
                                            key.substr(0, 64) + "' is not a token id");
    }
    more.emplace_back(std::stoll(key), &value);
  }
  std::ranges::sort(more);
  std::unordered_set<std::string> listed;
  for (const AddedToken& token : parts.added) listed.insert(token.text);
  for (const auto& [id, value] : more) {
    AddedToken token = TRY(ReadFlags(*value).WithContext("tokenizer_config.json"));
    const bool special = TRY(GetBoolOr(*value, "special", false));
    if (!listed.insert(token.text).second) continue;
    if (id >= static_cast<int64_t>(PipelineTokenizer::kMaxTokens)) {
      return Error(ErrorCode::kExhausted, "tokenizer_config.json: added token " +
                                              std::to_string(id) + " is beyond every vocabulary");
    }
    token.id = static_cast<TokenId>(id);
    TRY(Add(std::move(token), special, model_size, parts).WithContext("tokenizer_config.json"));
  }
  return {};
}

std::optional<TokenId> FindByName(const PipelineParts& parts, std::string_view name) {
  for (const AddedToken& token : parts.added) {
    if (token.text == name) return token.id;
  }
  for (size_t i = 0; i < parts.tokens.size(); ++i) {
    if (parts.tokens[i].name == name) return static_cast<TokenId>(i);
  }
  return std::nullopt;
}

void MarkControl(TokenId id, PipelineParts& parts) {
  const auto place = static_cast<size_t>(id);
  if (id < 0 || place >= parts.tokens.size()) return;  // Create says so
  parts.tokens[place].control = true;
  const auto listed = std::ranges::find(parts.added, id, &AddedToken::id);
  if (listed != parts.added.end()) {
    listed->plain = false;
  } else if (!parts.tokens[place].name.empty()) {
    parts.added.push_back({parts.tokens[place].name, id});
  }
}

}  // namespace skerry::engine::internal
