// `tools` and `tool_choice`, and their older form `functions` and `function_call`, of a chat body.
#include <algorithm>

#include "engine/api/internal/parse_parts.h"
#include "engine/chat/json_text.h"

namespace skerry::engine::internal {
namespace {

using ToolChoice = ChatRequest::ToolChoice;

// `function` is the object with name, description and parameters, `raw` its text, `json` that of
// the tool around it.
void ParseFunction(Fields& function, std::string_view raw, std::string json, ChatRequest& request) {
  ToolDefinition tool;
  tool.json = std::move(json);
  tool.name = function.String("name");
  if (tool.name.empty() && !function.failed()) {
    function.Fail("name", "is missing", "missing_required_parameter");
  }
  tool.description = function.String("description");
  tool.strict = function.Bool("strict", false);
  if (const Json* parameters = function.Object("parameters"); parameters != nullptr) {
    tool.parameters = std::string(RawMember(raw, "parameters"));
    if (!SaysTheSame(tool.parameters, *parameters)) {
      function.Fail("parameters", "cannot be read", "invalid_value");
    }
  }
  request.tools.push_back(std::move(tool));
}

void ParseList(Fields& fields, std::string_view list_name, std::string_view body,
               ChatRequest& request) {
  const Json* list = fields.Array(list_name);
  if (list == nullptr) return;
  if (list->size() > kMaxTools) {
    fields.Fail(list_name, "holds more than " + std::to_string(kMaxTools) + " entries",
                "invalid_value");
    return;
  }
  const std::vector<std::string_view> raw = RawElements(RawMember(body, list_name));
  if (raw.size() != list->size()) {
    fields.Fail(list_name, "cannot be read", "invalid_value");
    return;
  }
  const bool wrapped = list_name == "tools";
  for (size_t i = 0; i < list->size() && !fields.failed(); ++i) {
    const std::string name = std::string(list_name) + "[" + std::to_string(i) + "]";
    const Json& item = (*list)[i];
    if (!item.is_object()) {
      fields.Fail(name, "must be an object", "invalid_type");
      return;
    }
    Fields entry(item, name + ".", fields.error());
    if (!wrapped) {
      if (!SaysTheSame(raw[i], item)) entry.Fail("name", "cannot be read", "invalid_value");
      ParseFunction(entry, raw[i],
                    "{\"type\": \"function\", \"function\": " + std::string(raw[i]) + "}", request);
      continue;
    }
    if (entry.String("type", "function") != "function") {
      entry.Fail("type", "must be 'function'", "unsupported_value");
      return;
    }
    const Json* function = entry.Object("function");
    if (function == nullptr) {
      entry.Fail("function", "is missing", "missing_required_parameter");
      return;
    }
    Fields inner(*function, name + ".function.", fields.error());
    if (!SaysTheSame(raw[i], item)) entry.Fail("function", "cannot be read", "invalid_value");
    ParseFunction(inner, RawMember(raw[i], "function"), std::string(raw[i]), request);
  }
}

void ParseNamedChoice(Fields& fields, std::string_view name, const Json& choice,
                      ChatRequest& request) {
  const Json& holder = choice.contains("function") ? choice["function"] : choice;
  if (!holder.is_object() || !holder.contains("name") || !holder["name"].is_string()) {
    fields.Fail(name, "must name a function", "invalid_value");
    return;
  }
  request.tool_name = holder["name"].get<std::string>();
  request.tool_choice = ToolChoice::kNamed;
  const bool offered = std::ranges::any_of(
      request.tools, [&](const ToolDefinition& tool) { return tool.name == request.tool_name; });
  if (!offered) fields.Fail(name, "names a function that is not among the tools", "invalid_value");
}

void ParseChoice(Fields& fields, std::string_view name, ChatRequest& request) {
  const Json* choice = fields.Find(name);
  if (choice == nullptr) return;
  if (choice->is_object()) {
    ParseNamedChoice(fields, name, *choice, request);
    return;
  }
  const std::string word = fields.String(name);
  if (word == "none") {
    request.tool_choice = ToolChoice::kNone;
  } else if (word == "required" || word == "any") {
    request.tool_choice = ToolChoice::kRequired;
  } else if (word != "auto") {
    fields.Fail(name, "must be none, auto, required or a function", "invalid_value");
  }
}

}  // namespace

bool SaysTheSame(std::string_view raw, const Json& value) {
  JsonLimits limits;
  limits.max_bytes = kMaxBodyBytes;
  const Result<Json> parsed = ParseJson(raw, limits);
  return parsed && *parsed == value;
}

void ParseTools(Fields& fields, std::string_view body, ChatRequest& request) {
  ParseList(fields, "tools", body, request);
  if (request.tools.empty() && !fields.failed()) {
    ParseList(fields, "functions", body, request);
    request.legacy_functions = !request.tools.empty();
  }
  // Some clients send a choice without tools: it has no meaning then, whatever it is.
  if (request.tools.empty() || fields.failed()) return;
  request.tool_choice = ToolChoice::kAuto;
  ParseChoice(fields, request.legacy_functions ? "function_call" : "tool_choice", request);
  request.parallel_tool_calls =
      fields.Bool("parallel_tool_calls", true) && !request.legacy_functions;
}

}  // namespace skerry::engine::internal
