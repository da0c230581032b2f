#include "engine/api/token_routes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "appliance/base/json.h"
#include "engine/api/internal/fields.h"
#include "engine/tokenizer/detokenizer.h"
#include "engine/tokenizer/utf8.h"

namespace skerry::engine {
namespace {

using http::ApiError;
using internal::Fields;
using internal::ReadObject;

std::variant<std::vector<TokenId>, ApiError> ChatTokens(const ServedModel& model,
                                                        std::string_view body, int64_t now_micros) {
  if (!model.chat) return ApiError{400, model.no_chat_reason, "chat_not_supported", "messages"};
  Parsed<ChatRequest> parsed = ParseChatRequest(body, model.defaults);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return *error;
  auto& request = std::get<ChatRequest>(parsed);
  Conversation conversation;
  conversation.messages = std::move(request.messages);
  conversation.reasoning_effort = std::move(request.reasoning_effort);
  conversation.template_kwargs = std::move(request.template_kwargs);
  if (request.tool_choice != ChatRequest::ToolChoice::kNone) {
    conversation.tools = std::move(request.tools);
  }
  const Result<Prompt> prompt = model.chat->BuildPrompt(conversation, now_micros);
  if (!prompt) return ApiError{400, prompt.error().message(), "invalid_conversation", "messages"};
  return model.chat->Encode(*prompt);
}

}  // namespace

std::vector<TokenId> TextTokens(const Tokenizer& tokenizer, const std::string& text,
                                bool add_special) {
  std::vector<TokenId> tokens = tokenizer.Encode(text);
  if (add_special && tokenizer.bos() && tokenizer.add_bos()) {
    tokens.insert(tokens.begin(), *tokenizer.bos());
  }
  if (add_special && tokenizer.eos() && tokenizer.add_eos()) tokens.push_back(*tokenizer.eos());
  return tokens;
}

std::variant<std::string, ApiError> TokenizeRoute(const ServedModel& model, std::string_view body,
                                                  int64_t now_micros) {
  Json document;
  std::optional<ApiError> error = ReadObject(body, document);
  if (error) return *error;
  Fields fields(document, "", error);
  const Tokenizer& tokenizer = *model.text.tokenizer;
  const bool with_texts = fields.Bool("return_token_strs", false);
  std::vector<TokenId> tokens;
  if (fields.Find("messages") != nullptr) {
    auto chat = ChatTokens(model, body, now_micros);
    if (const auto* refused = std::get_if<ApiError>(&chat)) return *refused;
    tokens = std::get<std::vector<TokenId>>(std::move(chat));
  } else {
    if (fields.Find("prompt") == nullptr) {
      fields.Fail("prompt", "is missing; send it or 'messages'", "missing_required_parameter");
    }
    const std::string text = fields.String("prompt");
    const bool add_special = fields.Bool("add_special_tokens", true);
    if (error) return *error;
    tokens = TextTokens(tokenizer, text, add_special);
  }
  if (error) return *error;
  Json reply = {{"count", tokens.size()},
                {"max_model_len", model.max_model_len()},
                {"tokens", tokens},
                {"token_strs", nullptr}};
  if (with_texts) {
    reply["token_strs"] = Json::array();
    for (const TokenId token : tokens) {
      reply["token_strs"].push_back(ToValidUtf8(tokenizer.TokenName(token)));
    }
  }
  return DumpJsonAscii(reply);
}

std::variant<std::string, ApiError> DetokenizeRoute(const ServedModel& model,
                                                    std::string_view body) {
  Json document;
  std::optional<ApiError> error = ReadObject(body, document);
  if (error) return *error;
  Fields fields(document, "", error);
  const Json* list = fields.Array("tokens");
  const Tokenizer& tokenizer = *model.text.tokenizer;
  const auto is_token = [&](const Json& item) {
    return item.is_number_integer() && item.get<int64_t>() >= 0 &&
           item.get<int64_t>() < tokenizer.vocab_size();
  };
  if (!error && (list == nullptr || !std::ranges::all_of(*list, is_token))) {
    fields.Fail("tokens",
                "must be an array of token ids below " + std::to_string(tokenizer.vocab_size()),
                "invalid_value");
  }
  if (error) return *error;
  const std::string text =
      Decode(tokenizer, list->get<std::vector<TokenId>>(), /*strip_leading_space=*/true);
  return DumpJsonAscii({{"prompt", text}});
}

}  // namespace skerry::engine
