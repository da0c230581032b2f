// The prompts of each chat family, segment by segment.
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "appliance/base/json.h"
#include "engine/chat/format.h"
#include "engine/chat/json_text.h"

namespace skerry::engine {
namespace {

void Add(std::vector<Segment>& segments, std::optional<TokenId> control) {
  if (control) segments.push_back({control, ""});
}

void Add(std::vector<Segment>& segments, std::string text) {
  if (!text.empty()) segments.push_back({std::nullopt, std::move(text)});
}

std::string WithSystem(const std::string& system, const std::string& text) {
  return system.empty() ? text : system + "\n\n" + text;
}

// JSON text as it is, anything else as a JSON string: what Mistral's own tokenizer does with the
// results of tools.
std::string JsonOrString(const std::string& text) {
  JsonLimits limits;
  limits.max_bytes = text.size() + 1;
  return ParseJson(text, limits) ? PythonJson(text) : QuoteJson(text);
}

std::string CallsJson(const std::vector<ToolCall>& calls, bool with_ids) {
  std::string out = "[";
  for (const ToolCall& call : calls) {
    if (out.size() > 1) out += ", ";
    out += "{\"name\": " + QuoteJson(call.name) +
           ", \"arguments\": " + (call.arguments.empty() ? "{}" : JsonOrString(call.arguments));
    if (with_ids) out += ", \"id\": " + QuoteJson(NineCharacterId(call.id));
    out += "}";
  }
  return out + "]";
}

std::string ToolsJson(const std::vector<ToolDefinition>& tools) {
  std::string out = "[";
  for (const ToolDefinition& tool : tools) {
    if (out.size() > 1) out += ", ";
    out += "{\"type\": \"function\", \"function\": {\"name\": " + QuoteJson(tool.name) +
           ", \"description\": " + QuoteJson(tool.description) + ", \"parameters\": " +
           (tool.parameters.empty() ? "{\"type\": \"object\", \"properties\": {}}"
                                    : PythonJson(tool.parameters)) +
           "}}";
  }
  return out + "]";
}

// Names of the tools that calls asked for, by id, of the turns seen so far. Ordered: strangers
// choose the ids, so no hash may decide how long a look takes.
using CallNames = std::map<std::string_view, std::string_view>;

void Remember(const Message& turn, CallNames& names) {
  for (const ToolCall& call : turn.tool_calls) names.insert_or_assign(call.id, call.name);
}

// The name of the tool a result belongs to: as given, else that of the last call with its id.
std::string_view ResultName(const Message& result, const CallNames& names) {
  if (!result.name.empty()) return result.name;
  const auto found = names.find(result.tool_call_id);
  return found == names.end() ? std::string_view() : found->second;
}

}  // namespace

// Version 3: every call and result of the history, with ids. Version 2: only those behind the last
// user turn, without ids, neighbouring results in one list. Both after mistral-common's instruct
// tokenizers.
std::vector<Segment> ChatFormat::BuildMistral(const Conversation& conversation) const {
  const Turns turns = Normalize(conversation.messages);
  const bool v3 = family_ == ChatFamily::kMistralV3;
  std::vector<Segment> out;
  CallNames call_names;
  Add(out, names_.bos);
  for (size_t i = 0; i < turns.turns.size(); ++i) {
    const Message& turn = turns.turns[i];
    Remember(turn, call_names);
    const bool current = i > turns.last_user;
    if (turn.role == Role::kUser) {
      const bool last = i == turns.last_user;
      if (last && !conversation.tools.empty() && tool_call_) {
        Add(out, names_.tools);
        Add(out, ToolsJson(conversation.tools));
        Add(out, names_.tools_end);
      }
      Add(out, names_.inst);
      Add(out, last ? WithSystem(turns.system, turn.content) : turn.content);
      Add(out, names_.inst_end);
    } else if (turn.role == Role::kAssistant) {
      const bool calls = !turn.tool_calls.empty() && tool_call_ && (v3 || current);
      if (turn.content.empty() && !calls) continue;
      Add(out, turn.content);
      if (calls) {
        Add(out, tool_call_);
        Add(out, CallsJson(turn.tool_calls, v3));
      }
      Add(out, names_.eos);
    } else if (names_.results && v3) {
      Add(out, names_.results);
      Add(out, "{\"content\": " + JsonOrString(turn.content) +
                   ", \"call_id\": " + QuoteJson(NineCharacterId(turn.tool_call_id)) + "}");
      Add(out, names_.results_end);
    } else if (names_.results && current) {
      const bool first = turns.turns[i - 1].role != Role::kTool;
      const bool last = i + 1 == turns.turns.size() || turns.turns[i + 1].role != Role::kTool;
      const std::string item = "{\"name\": " + QuoteJson(ResultName(turn, call_names)) +
                               ", \"content\": " + JsonOrString(turn.content) + "}";
      if (first) {
        Add(out, names_.results);
        Add(out, "[" + item);
      } else {
        out.back().text += ", " + item;
      }
      if (last) {
        out.back().text += "]";
        Add(out, names_.results_end);
      }
    }
  }
  return out;
}

// Markers in plain text. Tool results, which these formats do not have, are shown as user text.
std::vector<Segment> ChatFormat::BuildPlainInst(const Conversation& conversation) const {
  std::vector<Message> messages = conversation.messages;
  for (Message& message : messages) {
    if (message.role == Role::kTool) message.role = Role::kUser;
  }
  std::erase_if(messages, [](const Message& message) {
    return message.role == Role::kAssistant && message.content.empty();
  });
  const Turns turns = Normalize(messages);
  const bool llama2 = family_ == ChatFamily::kLlama2;
  std::vector<Segment> out;
  for (size_t i = 0; i < turns.turns.size(); ++i) {
    const Message& turn = turns.turns[i];
    if (turn.role == Role::kUser) {
      std::string text = turn.content;
      if (i == 0 && !turns.system.empty()) {
        text = llama2 ? "<<SYS>>\n" + turns.system + "\n<</SYS>>\n\n" + text
                      : WithSystem(turns.system, text);
      }
      if (llama2 || i == 0) Add(out, names_.bos);
      Add(out, "[INST] " + text + " [/INST]");
    } else if (llama2) {
      // Question and answer of one exchange are one text.
      out.back().text += " " + turn.content + " ";
      Add(out, names_.eos);
    } else {
      Add(out, turn.content);
      Add(out, names_.eos);
    }
  }
  return out;
}

std::vector<Segment> ChatFormat::BuildHeaders(const Conversation& conversation) const {
  std::vector<Segment> out;
  const bool llama3 = family_ == ChatFamily::kLlama3;
  if (llama3) Add(out, names_.bos);
  const auto begin = [&](std::string_view role) {
    if (llama3) {
      Add(out, names_.header);
      Add(out, std::string(role));
      Add(out, names_.header_end);
      return std::string("\n\n");
    }
    Add(out, names_.turn_start);
    return std::string(role) + "\n";
  };
  const auto turn = [&](std::string_view role, const std::string& content) {
    Add(out, begin(role) + content);
    Add(out, names_.turn_end);
    if (!llama3) Add(out, std::string("\n"));
  };
  std::vector<Message> messages = conversation.messages;
  for (Message& message : messages) {
    if (message.role == Role::kTool) message.role = Role::kUser;
  }
  std::erase_if(messages, [](const Message& message) {
    return message.role == Role::kAssistant && message.content.empty();
  });
  const Turns turns = Normalize(messages);
  if (!turns.system.empty()) turn("system", turns.system);
  for (const Message& message : turns.turns) {
    turn(message.role == Role::kUser ? "user" : "assistant", message.content);
  }
  Add(out, begin("assistant"));
  return out;
}

std::string ChatFormat::ForcedCallText(std::string_view name) {
  if (name.empty()) return "[{\"name\": \"";
  return "[{\"name\": " + QuoteJson(name) + ", \"arguments\":";
}

std::vector<TokenId> ChatFormat::ForcedCallPrefix(std::string_view name) const {
  std::vector<TokenId> ids;
  if (!tool_call_) return ids;
  ids = tokenizer_->Encode(ForcedCallText(name));
  ids.insert(ids.begin(), *tool_call_);
  return ids;
}

}  // namespace skerry::engine
