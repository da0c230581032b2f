#include "engine/api/request.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "engine/api/internal/fields.h"
#include "engine/api/internal/parse_parts.h"
#include "engine/chat/json_text.h"
#include "engine/chat/template_kwargs.h"

namespace skerry::engine {
namespace {

using internal::Fields;

constexpr int64_t kMaxTokenCount = std::numeric_limits<int32_t>::max();

void AddStop(Fields& fields, const Json& text, std::vector<std::string>& stop) {
  stop.push_back(text.get<std::string>());
  if (stop.back().size() > kMaxStopBytes) {
    fields.Fail("stop", "has a string of more than " + std::to_string(kMaxStopBytes) + " bytes",
                "invalid_value");
  }
}

void ParseStop(Fields& fields, std::vector<std::string>& stop) {
  const Json* value = fields.Find("stop");
  if (value == nullptr) return;
  if (value->is_string()) {
    AddStop(fields, *value, stop);
    return;
  }
  const Json* list = fields.Array("stop");
  if (list == nullptr) return;
  if (list->size() > kMaxStopStrings) {
    fields.Fail("stop", "holds more than " + std::to_string(kMaxStopStrings) + " strings",
                "invalid_value");
    return;
  }
  for (const Json& item : *list) {
    if (!item.is_string()) {
      fields.Fail("stop", "must be a string or an array of strings", "invalid_type");
      return;
    }
    AddStop(fields, item, stop);
  }
}

// Fields that would change the answer in a way this server cannot.
void RefuseUnsupported(Fields& fields) {
  const auto refuse = [&](std::string_view name, const std::string& why) {
    fields.Fail(name, why, "unsupported_value");
  };
  if (fields.Bool("echo", false)) refuse("echo", "is not supported");
  if (!fields.String("suffix").empty()) refuse("suffix", "is not supported");
}

void ParseCommon(Fields& fields, std::string_view body, const SamplingDefaults& defaults, bool chat,
                 CommonRequest& request) {
  request.model = fields.String("model");
  request.stream = fields.Bool("stream", false);
  fields.Object("stream_options");  // usage is always sent
  const auto newer = fields.Int("max_completion_tokens", 1, kMaxTokenCount);
  const auto older = fields.Int("max_tokens", 1, kMaxTokenCount);
  request.max_tokens = newer ? newer : older;
  internal::ParseSampling(fields, defaults, chat, request);
  ParseStop(fields, request.stop);
  internal::ParseTextRule(fields, body, request);
  RefuseUnsupported(fields);
}

void ParsePrompt(Fields& fields, CompletionRequest& request) {
  const Json* prompt = fields.Find("prompt");
  if (prompt == nullptr) {
    fields.Fail("prompt", "is missing", "missing_required_parameter");
    return;
  }
  const bool list_of_one =
      prompt->is_array() && prompt->size() == 1 && !prompt->front().is_number();
  const Json& value = list_of_one ? prompt->front() : *prompt;
  if (value.is_string()) {
    request.prompt = value.get<std::string>();
    return;
  }
  std::vector<TokenId> tokens;
  for (const Json& item : value.is_array() ? value : Json::array()) {
    if (!item.is_number_integer() || item.get<int64_t>() < 0 ||
        item.get<int64_t>() > kMaxTokenCount) {
      break;
    }
    tokens.push_back(item.get<TokenId>());
  }
  if (tokens.empty() || tokens.size() != value.size()) {
    fields.Fail("prompt", "must be a string or an array of token ids, one prompt per request",
                "invalid_type");
    return;
  }
  request.prompt = std::move(tokens);
}

// The object as the client wrote it: templates show keys in its order.
void ParseTemplateKwargs(Fields& fields, std::string_view body, ChatRequest& request) {
  static constexpr std::string_view kName = "chat_template_kwargs";
  const Json* kwargs = fields.Object(kName);
  if (kwargs == nullptr) return;
  const std::string_view raw = RawMember(body, kName);
  const Result<void> checked = CheckTemplateKwargs(raw, *kwargs);
  if (!checked) {
    fields.Fail(kName, checked.error().message(), "invalid_value");
  } else if (!internal::SaysTheSame(raw, *kwargs)) {
    fields.Fail(kName, "cannot be read", "invalid_value");
  } else {
    request.template_kwargs = raw;
  }
}

}  // namespace

Parsed<ChatRequest> ParseChatRequest(std::string_view body, const SamplingDefaults& defaults) {
  Json document;
  std::optional<http::ApiError> error = internal::ReadObject(body, document);
  if (error) return *error;
  ChatRequest request;
  Fields fields(document, "", error);
  internal::ParseMessages(fields, body, request.messages);
  internal::ParseTools(fields, body, request);
  request.reasoning_effort = fields.String("reasoning_effort");
  ParseTemplateKwargs(fields, body, request);
  ParseCommon(fields, body, defaults, /*chat=*/true, request);
  if (error) return *error;
  return request;
}

Parsed<CompletionRequest> ParseCompletionRequest(std::string_view body,
                                                 const SamplingDefaults& defaults) {
  Json document;
  std::optional<http::ApiError> error = internal::ReadObject(body, document);
  if (error) return *error;
  CompletionRequest request;
  Fields fields(document, "", error);
  ParsePrompt(fields, request);
  ParseCommon(fields, body, defaults, /*chat=*/false, request);
  if (error) return *error;
  return request;
}

}  // namespace skerry::engine
