#include "engine/chat/mistral_format.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "appliance/base/json.h"
#include "engine/chat/json_text.h"
#include "engine/chat/template_kwargs.h"

namespace skerry::engine {
namespace {

constexpr size_t kMaxNameBytes = 64;

void Add(Prompt& out, std::optional<TokenId> control) {
  if (control) out.push_back({control, {}});
}

void Add(Prompt& out, std::string text) {
  if (!text.empty()) out.push_back({std::nullopt, {{std::move(text), /*trusted=*/false}}});
}

std::string WithSystem(const std::string& system, const std::string& text) {
  return system.empty() ? text : system + "\n\n" + text;
}

std::string WithoutTrailingSpaces(std::string text) {
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

// JSON text as it is, anything else as a JSON string, nothing as an empty object.
std::string JsonOrString(const std::string& text) {
  if (text.empty()) return "{}";
  JsonLimits limits;
  limits.max_bytes = text.size() + 1;
  return ParseJson(text, limits) ? PythonJson(text) : QuoteJson(text);
}

std::string ToolsJson(const std::vector<ToolDefinition>& tools) {
  std::string out = "[";
  for (const ToolDefinition& tool : tools) {
    if (out.size() > 1) out += ", ";
    out += "{\"type\": \"function\", \"function\": {\"name\": " + QuoteJson(tool.name) +
           ", \"description\": " + QuoteJson(tool.description) +
           ", \"parameters\": " + (tool.parameters.empty() ? "{}" : PythonJson(tool.parameters)) +
           "}}";
  }
  return out + "]";
}

// The format knows two efforts; those between them count as the nearer one.
std::string SettingsJson(const std::string& effort) {
  const bool high = effort == "high" || effort == "xhigh" || effort == "medium";
  return std::string("{\"reasoning_effort\": \"") + (high ? "high" : "none") + "\"}";
}

Result<void> CheckName(std::string_view what, const std::string& name) {
  const bool fits =
      !name.empty() && name.size() <= kMaxNameBytes && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
      });
  if (fits) return {};
  return Error(ErrorCode::kInvalidArgument, std::string(what) + " '" +
                                                name.substr(0, kMaxNameBytes) +
                                                "' must have 1 to 64 letters, digits, '_' or '-'");
}

Result<void> CheckNames(const Conversation& conversation) {
  for (const ToolDefinition& tool : conversation.tools) {
    TRY(CheckName("the tool name", tool.name));
  }
  for (const Message& message : conversation.messages) {
    for (const ToolCall& call : message.tool_calls) {
      TRY(CheckName("the name of a tool call", call.name));
    }
  }
  return {};
}

// Every result answers a call of the assistant's turn before it, each call at most once.
Result<void> CheckPairs(const std::vector<Message>& turns) {
  std::set<std::string_view> open;
  for (const Message& turn : turns) {
    if (turn.role != Role::kTool) {
      open.clear();
      for (const ToolCall& call : turn.tool_calls) {
        if (!open.insert(call.id).second) {
          return Error(ErrorCode::kInvalidArgument,
                       "two tool calls of one message have the id '" + call.id.substr(0, 64) + "'");
        }
      }
    } else if (open.erase(turn.tool_call_id) == 0) {
      return Error(ErrorCode::kInvalidArgument,
                   "the tool result with the id '" + turn.tool_call_id.substr(0, 64) +
                       "' answers no call of the message before it, or is its second");
    }
  }
  return {};
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

std::optional<MistralVersion> RecognizeMistral(const Tokenizer& tokenizer,
                                               std::string_view chat_template) {
  using enum MistralVersion;
  // In the template where there is one: vocabularies have tokens that their model never saw.
  const auto uses = [&](std::string_view name) {
    return tokenizer.FindControl(name) && (chat_template.empty() || Contains(chat_template, name));
  };
  if (uses("[INST]") && uses("[/INST]")) {
    if (uses("[MODEL_SETTINGS]")) return kV15;
    if (uses("[ARGS]")) return uses("[CALL_ID]") ? kV11 : kV13;
    if (uses("[SYSTEM_PROMPT]")) return kV7;
    const bool no_ids =
        Contains(chat_template, "[TOOL_RESULTS]") && !Contains(chat_template, "call_id");
    return no_ids ? kV2 : kV3;
  }
  if (Contains(chat_template, "[INST]") && !Contains(chat_template, "<<SYS>>")) return kV1;
  return std::nullopt;
}

Result<MistralFormat> MistralFormat::Create(const Tokenizer& tokenizer, MistralVersion version) {
  MistralFormat format(tokenizer, version);
  TRY(format.FindNames());
  return format;
}

Result<void> MistralFormat::FindNames() {
  using enum MistralVersion;
  Names& n = names_;
  n.bos = tokenizer_->bos();
  n.eos = tokenizer_->eos();
  const auto lacks = [&](std::string_view name) {
    return Error(ErrorCode::kInvalidArgument,
                 "its vocabulary has no token '" + std::string(name) + "', which version " +
                     std::to_string(static_cast<int>(version_)) + " of Mistral's format needs");
  };
  if (!n.eos) return lacks("</s>");
  if (version_ == kV1) return {};
  const auto need = [&](std::optional<TokenId>& slot, std::string_view name) -> Result<void> {
    slot = tokenizer_->FindControl(name);
    if (!slot) return lacks(name);
    return {};
  };
  TRY(need(n.inst, "[INST]"));
  TRY(need(n.inst_end, "[/INST]"));
  if (version_ >= kV7) {
    TRY(need(n.system, "[SYSTEM_PROMPT]"));
    TRY(need(n.system_end, "[/SYSTEM_PROMPT]"));
  }
  if (version_ == kV7 || version_ == kV11) TRY(need(n.content, "[TOOL_CONTENT]"));
  if (version_ >= kV11) TRY(need(n.args, "[ARGS]"));
  if (version_ == kV11) n.call_id = tokenizer_->FindControl("[CALL_ID]");
  if (version_ >= kV13) {
    n.think = tokenizer_->FindControl("[THINK]");
    n.think_end = tokenizer_->FindControl("[/THINK]");
  }
  if (version_ >= kV15) {
    TRY(need(n.settings, "[MODEL_SETTINGS]"));
    TRY(need(n.settings_end, "[/MODEL_SETTINGS]"));
  }
  n.tools = tokenizer_->FindControl("[AVAILABLE_TOOLS]");
  n.tools_end = tokenizer_->FindControl("[/AVAILABLE_TOOLS]");
  n.results = tokenizer_->FindControl("[TOOL_RESULTS]");
  n.results_end = tokenizer_->FindControl("[/TOOL_RESULTS]");
  if (n.tools && n.tools_end && n.results && n.results_end) {
    n.calls = tokenizer_->FindControl("[TOOL_CALLS]");
  }
  return {};
}

// Results of calls the reference tokenizer reorders from version 11 on.
Result<Turns> MistralFormat::Prepare(const Conversation& conversation) const {
  using enum MistralVersion;
  TRY(CheckNames(conversation));
  std::vector<Message> messages = conversation.messages;
  if (version_ == kV2) NameResults(messages);
  Turns turns =
      Normalize(messages, version_ >= kV7 ? SystemPlace::kInPlace : SystemPlace::kInFront);
  if (version_ >= kV13) TRY(CheckPairs(turns.turns));
  if (version_ >= kV11) OrderResults(turns.turns);
  return turns;
}

Result<Prompt> MistralFormat::Write(const Conversation& conversation) const {
  using enum MistralVersion;
  if (version_ == kV1) return WritePlain(conversation);
  const Turns turns = TRY(Prepare(conversation));
  Prompt out;
  Add(out, names_.bos);
  for (size_t i = 0; i < turns.turns.size(); ++i) {
    const Message& turn = turns.turns[i];
    // Version 2 shows calls and results behind the last user turn only.
    const bool current = version_ != kV2 || i > turns.last_user;
    switch (turn.role) {
      case Role::kSystem:
        Add(out, names_.system);
        Add(out, turn.content);
        Add(out, names_.system_end);
        break;
      case Role::kUser:
        WriteUser(turns, i, conversation, out);
        break;
      case Role::kAssistant:
        WriteAssistant(turn, current, out);
        break;
      case Role::kTool:
        if (names_.results && current) WriteResult(turns, i, out);
        break;
    }
  }
  return out;
}

// Markers in plain text; the system text is in the first user turn. Results of tools, which the
// format does not have, are shown as a user's text.
Prompt MistralFormat::WritePlain(const Conversation& conversation) const {
  std::vector<Message> messages = conversation.messages;
  for (Message& message : messages) {
    if (message.role == Role::kTool) message.role = Role::kUser;
    message.tool_calls.clear();
  }
  const Turns turns = Normalize(messages);
  Prompt out;
  Add(out, names_.bos);
  for (size_t i = 0; i < turns.turns.size(); ++i) {
    const Message& turn = turns.turns[i];
    if (turn.role == Role::kUser) {
      const std::string text = i == 0 ? WithSystem(turns.system, turn.content) : turn.content;
      Add(out, "[INST] " + text + " [/INST]");
    } else {
      Add(out, turn.content);
      Add(out, names_.eos);
    }
  }
  return out;
}

void MistralFormat::WriteUser(const Turns& turns, size_t at, const Conversation& conversation,
                              Prompt& out) const {
  using enum MistralVersion;
  const bool last = at == turns.last_user;
  const bool tools_here = version_ >= kV13 ? at == turns.first_user : last;
  if (tools_here && !conversation.tools.empty() && names_.calls) {
    Add(out, names_.tools);
    Add(out, ToolsJson(conversation.tools));
    Add(out, names_.tools_end);
  }
  if (names_.settings && at == turns.first_user) {
    Add(out, names_.settings);
    Add(out,
        SettingsJson(ChosenEffort(conversation.reasoning_effort, conversation.template_kwargs)));
    Add(out, names_.settings_end);
  }
  const std::string& text = turns.turns[at].content;
  Add(out, names_.inst);
  Add(out, last ? WithSystem(turns.system, text) : text);
  Add(out, names_.inst_end);
}

void MistralFormat::WriteAssistant(const Message& turn, bool with_calls, Prompt& out) const {
  const bool calls = !turn.tool_calls.empty() && names_.calls && with_calls;
  const bool thoughts = !turn.reasoning.empty() && names_.think && names_.think_end;
  if (turn.content.empty() && !calls && !thoughts) return;
  if (thoughts) {
    Add(out, names_.think);
    Add(out, turn.reasoning);
    Add(out, names_.think_end);
  }
  Add(out, WithoutTrailingSpaces(turn.content));
  if (calls) WriteCalls(turn, out);
  Add(out, names_.eos);
}

void MistralFormat::WriteCalls(const Message& turn, Prompt& out) const {
  using enum MistralVersion;
  if (version_ >= kV11) {
    for (const ToolCall& call : turn.tool_calls) {
      Add(out, names_.calls);
      Add(out, call.name);
      if (names_.call_id) {
        Add(out, names_.call_id);
        Add(out, NineCharacterId(call.id));
      }
      Add(out, names_.args);
      Add(out, JsonOrString(call.arguments));
    }
    return;
  }
  std::string list = "[";
  for (const ToolCall& call : turn.tool_calls) {
    if (list.size() > 1) list += ", ";
    list +=
        "{\"name\": " + QuoteJson(call.name) + ", \"arguments\": " + JsonOrString(call.arguments);
    if (version_ != kV2) list += ", \"id\": " + QuoteJson(NineCharacterId(call.id));
    list += "}";
  }
  Add(out, names_.calls);
  Add(out, list + "]");
}

void MistralFormat::WriteResult(const Turns& turns, size_t at, Prompt& out) const {
  using enum MistralVersion;
  const Message& turn = turns.turns[at];
  if (version_ == kV2) {  // neighbouring results are one list
    const bool first = turns.turns[at - 1].role != Role::kTool;
    const bool last = at + 1 == turns.turns.size() || turns.turns[at + 1].role != Role::kTool;
    if (first) {
      Add(out, names_.results);
      Add(out, std::string("["));
    }
    std::string& list = out.back().parts.back().text;
    list += (first ? "{\"name\": " : ", {\"name\": ") + QuoteJson(turn.name) +
            ", \"content\": " + JsonOrString(turn.content) + "}";
    if (!last) return;
    list += "]";
  } else {
    Add(out, names_.results);
    if (version_ == kV3) {
      Add(out, "{\"content\": " + JsonOrString(turn.content) +
                   ", \"call_id\": " + QuoteJson(NineCharacterId(turn.tool_call_id)) + "}");
    } else {
      if (names_.content) {
        Add(out, NineCharacterId(turn.tool_call_id));
        Add(out, names_.content);
      }
      Add(out, turn.content);
    }
  }
  Add(out, names_.results_end);
}

}  // namespace skerry::engine
