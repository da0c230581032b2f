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
  bool has_content = true;           // false: the client gave null, or nothing
  std::string reasoning;             // of an assistant: its thoughts, where the client sends them
  std::vector<ToolCall> tool_calls;  // of an assistant
  std::string tool_call_id;          // of a tool's result
  std::string name;                  // of a tool's result: the tool, when the client gave it
};

struct ToolDefinition {
  std::string name;
  std::string description;
  std::string parameters;  // JSON schema as the client wrote it; empty: no parameters
  std::string json;        // {"type":"function","function":{...}} as the client wrote it
  bool strict = false;     // arguments must obey that schema
};

struct Conversation {
  std::vector<Message> messages;
  std::vector<ToolDefinition> tools;  // those offered to the model
  std::string reasoning_effort;       // as the client wrote it; empty: not given
  // What the client gives the chat template besides: a JSON object that CheckTemplateKwargs has
  // accepted, or empty.
  std::string template_kwargs = {};
};

// The shape that formats rely on.
struct Turns {
  std::string system;          // all system texts, separated by an empty line; kInPlace: empty
  std::vector<Message> turns;  // kInFront: no system, and the first is a user's
  size_t first_user = 0;       // indices in `turns`
  size_t last_user = 0;
};

enum class SystemPlace {
  kInFront,  // collected
  kInPlace,  // each stays where it is, on its own
};

// Brings any order of messages into that shape: neighbours of the same role become one (texts
// separated by an empty line; tool results stay single), an assistant that says nothing is left
// out, and an empty user turn is put in where a conversation does not begin with one or ends with
// the assistant.
Turns Normalize(const std::vector<Message>& messages, SystemPlace place = SystemPlace::kInFront);

// The results behind an assistant's calls in the order of these calls. A result of no call stays
// behind the others.
void OrderResults(std::vector<Message>& turns);

// An assistant's turn for each of its calls, with the call's results behind it: for formats that
// have one call to a turn. The text and the thoughts stay in the first.
std::vector<Message> SplitCalls(std::vector<Message> messages);

// Sets the name of each result that has none: that of the last call with its id.
void NameResults(std::vector<Message>& messages);

// An id as Mistral's formats want it: nine letters or digits. Ids that already are stay as they
// are; others are mapped, always to the same one.
std::string NineCharacterId(std::string_view id);

}  // namespace skerry::engine
