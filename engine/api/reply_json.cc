#include "engine/api/reply_json.h"

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"

namespace skerry::engine {
namespace {

Json UsageJson(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", 0}}}};
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

std::string DeltaEvent(const ReplyIdentity& identity, Json delta, Json finish_reason) {
  Json frame = Frame(identity, true);
  Json choice = {{"index", 0}, {"finish_reason", std::move(finish_reason)}};
  if (identity.chat) {
    choice["delta"] = std::move(delta);
  } else {
    choice["text"] = delta.value("content", "");
    choice["logprobs"] = nullptr;
  }
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

}  // namespace

std::string WholeReplyJson(const ReplyIdentity& identity, const Generated& generated,
                           const std::string& finish_reason, const Usage& usage) {
  const std::vector<ToolCall>& calls = generated.calls;
  Json reply = Frame(identity, false);
  Json choice = {{"index", 0}, {"finish_reason", finish_reason}, {"logprobs", nullptr}};
  if (identity.chat) {
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
  } else {
    choice["text"] = generated.text;
  }
  reply["choices"] = Json::array({std::move(choice)});
  reply["usage"] = UsageJson(usage);
  return DumpJsonAscii(reply);
}

std::string RoleEvent(const ReplyIdentity& identity) {
  return DeltaEvent(identity, {{"role", "assistant"}, {"content", ""}}, nullptr);
}

std::string ReasoningEvent(const ReplyIdentity& identity, const std::string& text) {
  return DeltaEvent(identity, {{"reasoning_content", text}}, nullptr);
}

std::string TextEvent(const ReplyIdentity& identity, const std::string& text) {
  return DeltaEvent(identity, {{"content", text}}, nullptr);
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

std::string ErrorEvent(const http::ApiError& error) {
  return "event: error\ndata: " + http::ErrorBody(error) + "\n\n";
}

}  // namespace skerry::engine
