#include "engine/api/internal/admission.h"

#include <openssl/rand.h>

#include <algorithm>

#include "engine/api/internal/request_head.h"

#include "engine/api/internal/answer_shape.h"

namespace skerry::engine::internal {
namespace {

using http::ApiError;
using ToolChoice = ChatRequest::ToolChoice;

// For prompts that are certainly too long: encoding them would only cost time and memory.
std::optional<ApiError> RefuseEarly(const ServedModel& model, size_t least_tokens) {
  const int64_t limit = model.engine->max_model_len();
  if (least_tokens < static_cast<size_t>(limit)) return std::nullopt;
  return TooLong(limit, "your prompt has at least " + std::to_string(least_tokens) + " tokens");
}

ApiError Gone() { return {499, "the client has gone", "client_gone", ""}; }

std::optional<ApiError> SetLength(const ServedModel& model, const http::RequestHead& head,
                                  const CommonRequest& request, GenerationRequest& generation) {
  const int64_t limit = model.engine->max_model_len();
  const auto prompt = static_cast<int64_t>(generation.prompt.size());
  if (prompt >= limit) {
    return TooLong(limit, "your prompt has " + std::to_string(prompt) + " tokens");
  }
  const int64_t wanted = request.max_tokens.value_or(limit - prompt);
  if (prompt + wanted > limit) {
    return TooLong(limit, "you requested " + std::to_string(prompt + wanted) + " tokens (" +
                              std::to_string(prompt) + " in the prompt, " + std::to_string(wanted) +
                              " in the completion)");
  }
  std::optional<ApiError> error;
  const std::optional<int64_t> lease = LeaseTokens(head, error);
  if (error) return error;
  if (lease && prompt >= *lease) {
    return BeyondLease("the prompt has " + std::to_string(prompt) + " tokens", *lease);
  }
  generation.max_tokens = static_cast<int32_t>(std::min(wanted, lease ? *lease - prompt : wanted));
  return std::nullopt;
}

uint64_t RandomSeed() {
  uint64_t seed = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&seed), sizeof seed);
  return seed;
}

// Who asks, as the proxy says.
void SetTenant(const http::RequestHead& head, GenerationRequest& generation) {
  generation.tenant = TextHeader(head, "skerry-tenant");
  generation.tenant_salt = TextHeader(head, "skerry-cache-salt");
  generation.weight = NumberHeader(head, "skerry-weight", 1);
  generation.priority += static_cast<int32_t>(
      std::clamp<double>(NumberHeader(head, "skerry-priority", 0), -kMaxPriority, kMaxPriority));
}

// As it stands at the beginning of a text and behind a space; both are the same for some
// tokenizers.
void AddBadWord(const Tokenizer& tokenizer, const std::string& word, SamplingParams& sampling) {
  const size_t first = std::min(word.find_first_not_of(' '), word.size());
  for (const std::string& text : {word.substr(first), " " + word.substr(first)}) {
    std::vector<TokenId> ids = tokenizer.Encode(text);
    if (!ids.empty() && std::ranges::find(sampling.bad_words, ids) == sampling.bad_words.end()) {
      sampling.bad_words.push_back(std::move(ids));
    }
  }
}

// What chats and completions have in common.
std::optional<ApiError> SetCommon(const ServedModel& model, const http::RequestHead& head,
                                  const CommonRequest& request, Admitted& admitted) {
  GenerationRequest& generation = admitted.generation;
  admitted.stream = request.stream;
  admitted.n = request.n;
  generation.sampling = request.sampling;
  generation.sampling.seed = request.seed ? *request.seed : RandomSeed();
  for (const std::string& word : request.bad_words) {
    AddBadWord(*model.text.tokenizer, word, generation.sampling);
  }
  generation.stop_tokens = model.text.stop_tokens;
  generation.logprobs = request.logprobs;
  generation.prompt_logprobs = request.prompt_logprobs;
  generation.priority = request.priority;
  generation.cache_salt = request.cache_salt;
  SetTenant(head, generation);
  admitted.answer.stop_strings = request.stop;
  admitted.answer.min_tokens = request.sampling.min_tokens;
  const int32_t vocab_size = model.engine->model_info().vocab_size;
  const auto outside = [vocab_size](TokenId id) { return id >= vocab_size; };
  const char* wrong = nullptr;
  if (std::ranges::any_of(request.stop_token_ids, outside)) wrong = "stop_token_ids";
  for (const auto& [id, bias] : request.sampling.logit_bias) {
    if (outside(id)) wrong = "logit_bias";
  }
  if (wrong == nullptr) return std::nullopt;
  return ApiError{400,
                  "'" + std::string(wrong) + "' has a token id outside the vocabulary of " +
                      std::to_string(vocab_size),
                  "invalid_value", wrong};
}

// With the model's own stop tokens in place: `ignore_eos` keeps them from being chosen, the
// client's are added.
void ApplyStops(const CommonRequest& request, GenerationRequest& generation) {
  std::vector<TokenId>& stops = generation.stop_tokens;
  std::vector<TokenId>& banned = generation.banned;
  if (request.ignore_eos) {
    banned.insert(banned.end(), stops.begin(), stops.end());
    stops.clear();
  }
  for (const TokenId id : request.stop_token_ids) {
    stops.push_back(id);
    std::erase(banned, id);
  }
}

std::optional<ApiError> Constrain(const ServedModel& model, const WantedAnswer& wanted,
                                  Admitted& admitted) {
  GenerationRequest& generation = admitted.generation;
  if (model.constraints == nullptr) {
    return ApiError{400, "this model's vocabulary is too large for answers in a given form",
                    "constraints_not_supported", wanted.text_field};
  }
  std::optional<ApiError> error;
  generation.constraint = model.constraints->Get(wanted, error);
  generation.constraint_strips_space =
      admitted.answer.strip_leading_space && generation.forced.empty();
  return error;
}

// What the answer of a chat must be, and how it begins.
std::optional<ApiError> ConstrainChat(const ServedModel& model, const ChatRequest& request,
                                      const std::vector<ToolDefinition>& tools,
                                      Admitted& admitted) {
  ChatWishes wishes;
  wishes.tools = tools;
  wishes.call_required = !tools.empty() && request.tool_choice != ToolChoice::kAuto;
  wishes.several_calls = admitted.answer.max_calls > 1;
  wishes.text = request.text;
  const AnswerNotation& reading = admitted.answer.reading;
  std::optional<ChatLayout> layout = LayOutChat(*model.text.tokenizer, reading, wishes);
  if (!layout) {
    return ApiError{400,
                    "'" + request.text_field +
                        "' cannot be kept to beside tools by this model, whose calls are no JSON; "
                        "send tool_choice 'none' or no tools",
                    "unsupported_value", request.text_field};
  }
  GenerationRequest& generation = admitted.generation;
  generation.forced = std::move(layout->begin);
  if (layout->begins_as_call) {
    const std::string& only = tools.size() == 1 ? tools[0].name : request.tool_name;
    generation.forced = model.chat->ForcedCallPrefix(only, reading);
  }
  if (!layout->shape) return std::nullopt;
  WantedAnswer wanted;
  wanted.shape = std::move(*layout->shape);
  wanted.text_field = request.text_field;
  wanted.tools_field = request.legacy_functions ? "functions" : "tools";
  for (const ToolDefinition& tool : tools) {
    wanted.names.push_back(tool.name);
    wanted.strict.push_back(tool.strict);
  }
  return Constrain(model, wanted, admitted);
}

std::variant<Admitted, ApiError> AdmitChat(const ServedModel& model, const std::string& name,
                                           const http::RequestHead& head, std::string_view body,
                                           const http::Responder& client, int64_t now_micros) {
  if (!model.chat) return ApiError{400, model.no_chat_reason, "chat_not_supported", "messages"};
  Parsed<ChatRequest> parsed = ParseChatRequest(body, model.defaults);
  if (auto* error = std::get_if<ApiError>(&parsed)) return *error;
  auto& request = std::get<ChatRequest>(parsed);
  const bool offered = !request.tools.empty() && request.tool_choice != ToolChoice::kNone;
  if (offered && !model.chat->supports_tools()) {
    return ApiError{400,
                    "this model's chat format has no tool calls; send the request without tools or "
                    "with tool_choice 'none'",
                    "tools_not_supported", request.legacy_functions ? "functions" : "tools"};
  }
  Admitted admitted;
  if (auto error = CheckName(request.model, name, head, admitted.model)) return *error;
  if (auto error = SetCommon(model, head, request, admitted)) return *error;
  admitted.legacy_functions = request.legacy_functions;
  Conversation conversation{std::move(request.messages),
                            {},
                            std::move(request.reasoning_effort),
                            std::move(request.template_kwargs)};
  std::vector<OfferedTool> tools;
  if (offered) {
    conversation.tools = std::move(request.tools);
    if (request.tool_choice == ToolChoice::kNamed) {
      std::erase_if(conversation.tools,
                    [&](const ToolDefinition& tool) { return tool.name != request.tool_name; });
    }
    for (const ToolDefinition& tool : conversation.tools) {
      tools.push_back({tool.name, tool.parameters});
    }
    const bool one = request.tool_choice == ToolChoice::kNamed || !request.parallel_tool_calls;
    admitted.answer.max_calls = one ? 1 : SIZE_MAX;
  }
  admitted.answer.strip_leading_space = true;
  std::vector<TokenId>& stops = admitted.generation.stop_tokens;
  stops = model.chat->StopTokens(std::move(stops));
  admitted.generation.banned = model.chat->BannedTokens(stops, offered);
  ApplyStops(request, admitted.generation);
  const Result<Prompt> prompt = model.chat->BuildPrompt(conversation, now_micros);
  if (!prompt) return ApiError{400, prompt.error().message(), "invalid_conversation", "messages"};
  if (auto error = RefuseEarly(model, LeastTokens(*model.text.tokenizer, *prompt))) return *error;
  if (client.ClientGone()) return Gone();
  admitted.answer.reading = model.chat->Reading(*prompt, std::move(tools));
  admitted.generation.prompt = model.chat->Encode(*prompt);
  if (auto error = SetLength(model, head, request, admitted.generation)) return *error;
  if (auto error = ConstrainChat(model, request, conversation.tools, admitted)) return *error;
  return admitted;
}

std::variant<Admitted, ApiError> AdmitCompletion(const ServedModel& model, const std::string& name,
                                                 const http::RequestHead& head,
                                                 std::string_view body,
                                                 const http::Responder& client) {
  Parsed<CompletionRequest> parsed = ParseCompletionRequest(body, model.defaults);
  if (auto* error = std::get_if<ApiError>(&parsed)) return *error;
  auto& request = std::get<CompletionRequest>(parsed);
  Admitted admitted;
  admitted.chat = false;
  if (auto error = CheckName(request.model, name, head, admitted.model)) return *error;
  if (auto error = SetCommon(model, head, request, admitted)) return *error;
  ApplyStops(request, admitted.generation);
  std::vector<TokenId>& prompt = admitted.generation.prompt;
  const Tokenizer& tokenizer = *model.text.tokenizer;
  if (const auto* text = std::get_if<std::string>(&request.prompt)) {
    if (auto error = RefuseEarly(model, tokenizer.LeastTokens(text->size()))) {
      error->param = "prompt";
      return *error;
    }
    if (client.ClientGone()) return Gone();
    prompt = tokenizer.Encode(*text);
    if (tokenizer.bos() && (tokenizer.add_bos() || prompt.empty())) {
      prompt.insert(prompt.begin(), *tokenizer.bos());
    }
    admitted.answer.strip_leading_space = text->empty();
  } else {
    prompt = std::get<std::vector<TokenId>>(std::move(request.prompt));
    const int32_t vocab_size = model.engine->model_info().vocab_size;
    if (std::ranges::any_of(prompt, [&](TokenId id) { return id >= vocab_size; })) {
      return ApiError{
          400, "'prompt' has a token id outside the vocabulary of " + std::to_string(vocab_size),
          "invalid_value", "prompt"};
    }
  }
  if (prompt.empty()) return ApiError{400, "'prompt' is empty", "invalid_value", "prompt"};
  if (auto error = SetLength(model, head, request, admitted.generation)) {
    if (error->param == "messages") error->param = "prompt";
    return *error;
  }
  if (request.text_field.empty()) return admitted;
  WantedAnswer wanted;
  wanted.shape.text = std::move(request.text);
  wanted.text_field = request.text_field;
  if (auto error = Constrain(model, wanted, admitted)) return *error;
  return admitted;
}

}  // namespace

std::variant<Admitted, ApiError> Admit(const ServedModel& model, const std::string& name,
                                       const http::RequestHead& head, std::string_view body,
                                       const http::Responder& client, int64_t now_micros) {
  if (head.path == "/v1/completions") return AdmitCompletion(model, name, head, body, client);
  return AdmitChat(model, name, head, body, client, now_micros);
}

}  // namespace skerry::engine::internal
