#include "engine/chat/internal/template_context.h"

#include <utility>

namespace skerry::engine::internal {
namespace {

using jinja::Numbers;
using jinja::OrderedJson;

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kTool:
      return "tool";
  }
  return "user";
}

OrderedJson Arguments(const std::string& text, bool as_object) {
  if (text.empty()) return as_object ? OrderedJson::object() : OrderedJson("{}");
  if (!as_object) return text;
  Result<OrderedJson> parsed = jinja::ParseContext(text, Numbers::kAsWritten);
  if (!parsed || !parsed->is_object()) return text;
  return std::move(*parsed);
}

OrderedJson Calls(const std::vector<ToolCall>& calls, const TemplateNeeds& needs) {
  OrderedJson list = OrderedJson::array();
  for (const ToolCall& call : calls) {
    OrderedJson function;
    function["name"] = call.name;
    function["arguments"] = Arguments(call.arguments, needs.object_arguments);
    OrderedJson item;
    item["id"] = needs.short_ids ? NineCharacterId(call.id) : call.id;
    item["type"] = "function";
    item["function"] = std::move(function);
    list.push_back(std::move(item));
  }
  return list;
}

OrderedJson Content(const Message& message, const TemplateNeeds& needs) {
  if (!message.has_content && !message.tool_calls.empty() && needs.null_content) return nullptr;
  if (!needs.content_parts) return message.content;
  OrderedJson parts = OrderedJson::array();
  if (!message.content.empty()) parts.push_back({{"type", "text"}, {"text", message.content}});
  return parts;
}

// A template that knows thoughts as "thinking" shows them or the text in front of a call, not both.
Message WithoutText(Message message) {
  message.reasoning += "\n\n" + message.content;
  message.content.clear();
  return message;
}

OrderedJson Turn(const Message& message, const TemplateNeeds& needs) {
  const bool both = !message.tool_calls.empty() && !message.content.empty();
  if (needs.thinking_key && both && !message.reasoning.empty()) {
    return Turn(WithoutText(message), needs);
  }
  OrderedJson turn;
  turn["role"] = RoleName(message.role);
  turn["content"] = Content(message, needs);
  if (!message.reasoning.empty()) {
    turn["reasoning_content"] = message.reasoning;
    if (needs.thinking_key) turn["thinking"] = message.reasoning;
  }
  if (!message.tool_calls.empty()) turn["tool_calls"] = Calls(message.tool_calls, needs);
  if (message.role == Role::kTool) {
    turn["tool_call_id"] =
        needs.short_ids ? NineCharacterId(message.tool_call_id) : message.tool_call_id;
    if (!message.name.empty()) turn["name"] = message.name;
  }
  return turn;
}

// As the client wrote it; one that was made here has the usual order of keys.
OrderedJson Tool(const ToolDefinition& tool, bool complete) {
  OrderedJson item;
  if (!tool.json.empty()) {
    if (Result<OrderedJson> parsed = jinja::ParseContext(tool.json, Numbers::kAsWritten)) {
      item = std::move(*parsed);
    }
  }
  if (!item.is_object() || !item.contains("function") || !item["function"].is_object()) {
    OrderedJson function = {{"name", tool.name}, {"description", tool.description}};
    if (!tool.parameters.empty()) {
      Result<OrderedJson> parsed = jinja::ParseContext(tool.parameters, Numbers::kAsWritten);
      if (parsed) function["parameters"] = std::move(*parsed);
    }
    item = {{"type", "function"}, {"function", std::move(function)}};
  }
  if (!complete) return item;
  OrderedJson& function = item["function"];
  const auto lacks = [&](const char* key) {
    return !function.contains(key) || function[key].is_null();
  };
  if (lacks("description")) function["description"] = "";
  if (lacks("parameters")) {
    function["parameters"] = {{"type", "object"}, {"properties", OrderedJson::object()}};
  }
  if (!item.contains("type")) item["type"] = "function";
  return item;
}

void AddKwargs(const std::string& kwargs, OrderedJson& context) {
  if (kwargs.empty()) return;
  const Result<OrderedJson> parsed = jinja::ParseContext(kwargs, Numbers::kAsWritten);
  if (!parsed || !parsed->is_object()) return;
  for (const auto& [key, value] : parsed->items()) context[key] = value;
}

}  // namespace

OrderedJson MakeContext(const Conversation& conversation, const SpecialTokens& special,
                        const TemplateNeeds& needs, bool complete_tools,
                        bool add_generation_prompt) {
  OrderedJson context;
  OrderedJson messages = OrderedJson::array();
  for (const Message& message : conversation.messages) messages.push_back(Turn(message, needs));
  context["messages"] = std::move(messages);
  OrderedJson tools = OrderedJson::array();
  for (const ToolDefinition& tool : conversation.tools) tools.push_back(Tool(tool, complete_tools));
  context["tools"] = tools.empty() ? OrderedJson(nullptr) : std::move(tools);
  context["documents"] = nullptr;
  context["add_generation_prompt"] = add_generation_prompt;
  if (!conversation.reasoning_effort.empty()) {
    context["reasoning_effort"] = conversation.reasoning_effort;
    // For templates that know thinking as a switch.
    if (conversation.reasoning_effort == "none") context["enable_thinking"] = false;
  }
  AddKwargs(conversation.template_kwargs, context);
  for (const auto& [name, text] : special) context[name] = text;
  return context;
}

Result<jinja::Rendered> RenderContext(const jinja::Template& parsed, const OrderedJson& context,
                                      const SpecialTokens& special, int64_t now_micros) {
  jinja::RenderOptions options;
  options.now_micros = now_micros;
  options.trusted_keys.clear();
  for (const auto& [name, text] : special) options.trusted_keys.push_back(name);
  jinja::Rendered rendered = TRY(parsed.Render(context, options));
  if (rendered.refusal) return Error(ErrorCode::kInvalidArgument, *rendered.refusal);
  return rendered;
}

}  // namespace skerry::engine::internal
