#include "engine/api/reply_json.h"

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "engine/tokenizer/utf8.h"

namespace skerry::engine {
namespace {

Json UsageJson(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

Json Frame(const ReplyIdentity& identity, bool chunk) {
  std::string object = "text_completion";
  if (identity.chat) object = chunk ? "chat.completion.chunk" : "chat.completion";
  return {{"id", identity.id},
          {"object", object},
          {"created", identity.created},
          {"model", identity.model}};
}

std::string Event(const Json& json) { return "data: " + DumpJsonAscii(json) + "\n\n"; }

Json BytesJson(const std::string& text) {
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<uint8_t>(c));
  return bytes;
}

Json ChatTokenJson(const ReportedToken& token) {
  return {{"token", ToValidUtf8(token.bytes)},
          {"logprob", token.logprob},
          {"bytes", BytesJson(token.bytes)}};
}

Json ChatLogprobsJson(const std::vector<ReportedToken>& tokens) {
  Json content = Json::array();
  for (const ReportedToken& token : tokens) {
    Json entry = ChatTokenJson(token);
    entry["top_logprobs"] = Json::array();
    for (const ReportedToken& other : token.top) {
      entry["top_logprobs"].push_back(ChatTokenJson(other));
    }
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

Json CompletionLogprobsJson(const std::vector<ReportedToken>& tokens) {
  Json json = {{"tokens", Json::array()},
               {"token_logprobs", Json::array()},
               {"top_logprobs", Json::array()},
               {"text_offset", Json::array()}};
  size_t offset = 0;
  for (const ReportedToken& token : tokens) {
    json["tokens"].push_back(ToValidUtf8(token.bytes));
    json["token_logprobs"].push_back(token.logprob);
    Json top = Json::object();
    for (const ReportedToken& other : token.top) top[ToValidUtf8(other.bytes)] = other.logprob;
    json["top_logprobs"].push_back(std::move(top));
    json["text_offset"].push_back(offset);
    offset += token.bytes.size();
  }
  return json;
}

Json LogprobsJson(bool chat, const std::vector<ReportedToken>& tokens) {
  return chat ? ChatLogprobsJson(tokens) : CompletionLogprobsJson(tokens);
}

// vLLM's shape: for each token an object by token id, the first without.
Json PromptLogprobsJson(const std::vector<ReportedToken>& tokens) {
  Json json = Json::array({nullptr});
  const auto entry = [](const ReportedToken& token) -> Json {
    return {{"logprob", token.logprob},
            {"rank", token.rank},
            {"decoded_token", ToValidUtf8(token.bytes)}};
  };
  for (const ReportedToken& token : tokens) {
    Json at = {{std::to_string(token.id), entry(token)}};
    for (const ReportedToken& other : token.top) at[std::to_string(other.id)] = entry(other);
    json.push_back(std::move(at));
  }
  return json;
}

std::string DeltaEvent(const ReplyIdentity& identity, Json delta, Json finish_reason,
                       const std::vector<ReportedToken>& logprobs = {}) {
  Json frame = Frame(identity, true);
  Json choice = {{"index", identity.choice}, {"finish_reason", std::move(finish_reason)}};
  if (identity.chat) {
    choice["delta"] = std::move(delta);
  } else {
    choice["text"] = delta.value("content", "");
    choice["logprobs"] = nullptr;
  }
  if (!logprobs.empty()) choice["logprobs"] = LogprobsJson(identity.chat, logprobs);
  frame["choices"] = Json::array({std::move(choice)});
  return Event(frame);
}

constexpr size_t kArgumentBytes = 1024;  // of one event

// At most `bytes` of UTF-8 text, whole characters.
std::string_view FirstCharacters(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 1 && (static_cast<uint8_t>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

Json CallJson(const ToolCall& call) {
  return {{"id", call.id},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

Json ChoiceJson(const ReplyIdentity& identity, size_t index, const Choice& answer) {
  const Generated& generated = answer.generated;
  const std::vector<ToolCall>& calls = generated.calls;
  Json choice = {{"index", index}, {"finish_reason", answer.finish_reason}, {"logprobs", nullptr}};
  if (answer.logprobs) choice["logprobs"] = LogprobsJson(identity.chat, *answer.logprobs);
  if (!identity.chat) {
    choice["text"] = generated.text;
    return choice;
  }
  Json message = {{"role", "assistant"}, {"content", generated.text}};
  if (!calls.empty() && generated.text.empty()) message["content"] = nullptr;
  if (!generated.reasoning.empty()) message["reasoning_content"] = generated.reasoning;
  if (!calls.empty() && identity.legacy_functions) {
    message["function_call"] = CallJson(calls[0])["function"];
  } else if (!calls.empty()) {
    message["tool_calls"] = Json::array();
    for (const ToolCall& call : calls) message["tool_calls"].push_back(CallJson(call));
  }
  choice["message"] = std::move(message);
  return choice;
}

}  // namespace

std::string WholeReplyJson(const ReplyIdentity& identity, const std::vector<Choice>& choices,
                           const Usage& usage,
                           const std::optional<std::vector<ReportedToken>>& prompt) {
  Json reply = Frame(identity, false);
  reply["choices"] = Json::array();
  for (size_t i = 0; i < choices.size(); ++i) {
    reply["choices"].push_back(ChoiceJson(identity, i, choices[i]));
  }
  if (prompt) {
    Json& holder = identity.chat ? reply : reply["choices"][0];
    holder["prompt_logprobs"] = PromptLogprobsJson(*prompt);
  }
  reply["usage"] = UsageJson(usage);
  return DumpJsonAscii(reply);
}

std::string RoleEvent(const ReplyIdentity& identity) {
  return DeltaEvent(identity, {{"role", "assistant"}, {"content", ""}}, nullptr);
}

std::string ReasoningEvent(const ReplyIdentity& identity, const std::string& text) {
  return DeltaEvent(identity, {{"reasoning_content", text}}, nullptr);
}

std::string TextEvent(const ReplyIdentity& identity, const std::string& text,
                      const std::vector<ReportedToken>& logprobs) {
  return DeltaEvent(identity, {{"content", text}}, nullptr, logprobs);
}

std::vector<std::string> CallEvents(const ReplyIdentity& identity, size_t index,
                                    const ToolCall& call) {
  std::vector<std::string> events;
  const auto add = [&](Json delta) {
    if (!identity.legacy_functions) {
      delta["index"] = index;
      delta = {{"tool_calls", Json::array({std::move(delta)})}};
    } else {
      delta = {{"function_call", std::move(delta["function"])}};
    }
    events.push_back(DeltaEvent(identity, std::move(delta), nullptr));
  };
  add({{"id", call.id},
       {"type", "function"},
       {"function", {{"name", call.name}, {"arguments", ""}}}});
  for (std::string_view rest = call.arguments; !rest.empty();) {
    const std::string_view piece = FirstCharacters(rest, kArgumentBytes);
    add({{"function", {{"arguments", std::string(piece)}}}});
    rest.remove_prefix(piece.size());
  }
  return events;
}

std::string FinishEvent(const ReplyIdentity& identity, const std::string& finish_reason) {
  return DeltaEvent(identity, Json::object(), finish_reason);
}

std::string UsageEvent(const ReplyIdentity& identity, const Usage& usage) {
  Json frame = Frame(identity, true);
  frame["choices"] = Json::array();
  frame["usage"] = UsageJson(usage);
  return Event(frame);
}

std::string PingComment(std::optional<int32_t> position) {
  if (!position) return ": ping\n\n";
  return ": ping, " + std::to_string(*position) + " before this one in the queue\n\n";
}

std::string ErrorEvent(const http::ApiError& error) {
  return "event: error\ndata: " + http::ErrorBody(error) + "\n\n";
}

}  // namespace skerry::engine
