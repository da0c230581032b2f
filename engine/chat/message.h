// A conversation as the chat endpoint hands it over, free of HTTP and of any model's format.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine {

enum class Role { kSystem, kUser, kAssistant, kTool };

struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON text, as the client or the model wrote it
};

struct Message {
  Role role = Role::kUser;
  std::string content;               // text parts joined; may be empty
  std::vector<ToolCall> tool_calls;  // of an assistant
  std::string tool_call_id;          // of a tool's result
  std::string name;                  // of a tool's result: the tool, when the client gave it
};

struct ToolDefinition {
  std::string name;
  std::string description;
  std::string parameters;  // JSON schema as the client wrote it; empty: no parameters
};

struct Conversation {
  std::vector<Message> messages;
  std::vector<ToolDefinition> tools;  // those offered to the model
};

// The shape that formats rely on.
struct Turns {
  std::string system;          // all system texts, separated by an empty line
  std::vector<Message> turns;  // no system; begins with a user; no two users in a row
  size_t last_user = 0;        // index in `turns`
};

// Brings any order of messages into that shape: neighbours of the same role become one (texts
// separated by an empty line; tool results stay single), and an empty user turn is put in where a
// conversation does not begin with one or ends with the assistant.
Turns Normalize(const std::vector<Message>& messages);

// An id as Mistral's formats want it: nine letters or digits. Ids that already are stay as they
// are; others are mapped, always to the same one.
std::string NineCharacterId(std::string_view id);

}  // namespace skerry::engine
