// Conversations for tests of chat formats.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/json.h"
#include "engine/chat/json_text.h"
#include "engine/chat/message.h"

namespace skerry::engine::testing {

inline Message Say(Role role, std::string content) {
  Message message;
  message.role = role;
  message.content = std::move(content);
  return message;
}

inline Message Call(const std::string& id, const std::string& name,
                    const std::string& arguments = "{}") {
  Message message = Say(Role::kAssistant, "");
  message.has_content = false;
  message.tool_calls.push_back({id, name, arguments});
  return message;
}

inline Message ResultOf(const std::string& id, std::string content = "1") {
  Message message = Say(Role::kTool, std::move(content));
  message.tool_call_id = id;
  return message;
}

inline Conversation Ask(std::string text) { return {{Say(Role::kUser, std::move(text))}, {}, ""}; }

// A tool from the object OpenAI's clients send.
inline ToolDefinition ToolOf(std::string_view json) {
  const Json parsed = ParseJson(json).value();
  const std::string_view function = RawMember(json, "function");
  ToolDefinition tool;
  tool.name = parsed["function"]["name"];
  tool.description = GetStringOr(parsed["function"], "description", "").value();
  tool.parameters = std::string(RawMember(function, "parameters"));
  tool.json = std::string(json);
  return tool;
}

inline std::vector<ToolDefinition> ToolsOf(std::string_view list) {
  std::vector<ToolDefinition> tools;
  for (const std::string_view item : RawElements(list)) tools.push_back(ToolOf(item));
  return tools;
}

// The messages and tools of a chat body, without the endpoint's checks.
inline Conversation ConversationOf(std::string_view body) {
  JsonLimits limits;
  limits.max_bytes = 16 << 20;
  const Json json = ParseJson(body, limits).value();
  Conversation conversation;
  if (json.contains("tools")) conversation.tools = ToolsOf(RawMember(body, "tools"));
  for (const Json& item : json["messages"]) {
    const std::string role = item["role"];
    Message message;
    message.role = role == "system" ? Role::kSystem
                   : role == "user" ? Role::kUser
                   : role == "tool" ? Role::kTool
                                    : Role::kAssistant;
    message.has_content = item.contains("content") && item["content"].is_string();
    if (message.has_content) message.content = item["content"];
    message.tool_call_id = GetStringOr(item, "tool_call_id", "").value();
    message.name = GetStringOr(item, "name", "").value();
    if (item.contains("tool_calls") && item["tool_calls"].is_array()) {
      for (const Json& call : item["tool_calls"]) {
        message.tool_calls.push_back(
            {call["id"], call["function"]["name"], call["function"]["arguments"]});
      }
    }
    conversation.messages.push_back(std::move(message));
  }
  return conversation;
}

}  // namespace skerry::engine::testing
