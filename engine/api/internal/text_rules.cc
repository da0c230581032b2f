// What a client wants an answer to be: `response_format`, vLLM's `structured_outputs` and its older
// `guided_...` fields.
#include "engine/api/internal/parse_parts.h"
#include "engine/chat/json_text.h"

namespace skerry::engine::internal {
namespace {

using Kind = TextRule::Kind;

// One request has one rule.
bool SetRule(Fields& fields, std::string_view name, TextRule rule, CommonRequest& request) {
  if (fields.failed()) return false;
  if (!request.text_field.empty()) {
    return fields.Fail(name, "cannot stand beside '" + request.text_field + "': ask for one",
                       "invalid_value");
  }
  request.text = std::move(rule);
  request.text_field = fields.PathOf(name);
  return true;
}

// A schema as the client wrote it, since documents follow the order of its properties; `raw` is
// the text of the object with the field.
void ReadSchema(Fields& fields, std::string_view name, std::string_view raw, bool or_text,
                CommonRequest& request) {
  const Json* value = fields.Find(name);
  if (value == nullptr) return;
  if (or_text && value->is_string()) {
    SetRule(fields, name, {Kind::kJsonSchema, value->get<std::string>(), {}}, request);
    return;
  }
  if (fields.Object(name) == nullptr) return;
  const std::string_view schema = RawMember(raw, name);
  if (!SaysTheSame(schema, *value)) {
    fields.Fail(name, "cannot be read", "invalid_value");
    return;
  }
  SetRule(fields, name, {Kind::kJsonSchema, std::string(schema), {}}, request);
}

void ReadText(Fields& fields, std::string_view name, Kind kind, CommonRequest& request) {
  if (fields.Find(name) == nullptr) return;
  SetRule(fields, name, {kind, fields.String(name), {}}, request);
}

void ReadChoice(Fields& fields, std::string_view name, CommonRequest& request) {
  const Json* list = fields.Array(name);
  if (list == nullptr) return;
  TextRule rule{Kind::kChoice, "", {}};
  for (const Json& item : *list) {
    if (!item.is_string()) {
      fields.Fail(name, "must be an array of strings", "invalid_type");
      return;
    }
    rule.choices.push_back(item.get<std::string>());
  }
  if (rule.choices.empty()) {
    fields.Fail(name, "must hold at least one string", "invalid_value");
    return;
  }
  SetRule(fields, name, std::move(rule), request);
}

void ReadResponseFormat(Fields& fields, std::string_view body, CommonRequest& request) {
  static constexpr std::string_view kName = "response_format";
  const Json* format = fields.Object(kName);
  if (format == nullptr) return;
  const std::string_view raw = RawMember(body, kName);
  Fields inner(*format, "response_format.", fields.error());
  const std::string type = inner.String("type", "text");
  if (type == "json_object") {
    ReadSchema(inner, "schema", raw, /*or_text=*/false, request);
    if (request.text_field.empty()) SetRule(inner, "type", {Kind::kAnyObject, "", {}}, request);
  } else if (type == "json_schema") {
    const Json* wrapper = inner.Object("json_schema");
    if (wrapper == nullptr) {
      inner.Fail("json_schema", "is missing", "missing_required_parameter");
      return;
    }
    Fields holder(*wrapper, "response_format.json_schema.", fields.error());
    holder.String("name");
    holder.Bool("strict", false);  // a schema is always kept to
    ReadSchema(holder, "schema", RawMember(raw, "json_schema"), /*or_text=*/false, request);
    if (request.text_field.empty()) {
      holder.Fail("schema", "is missing", "missing_required_parameter");
    }
  } else if (type != "text") {
    inner.Fail(
        "type",
        "'" + type.substr(0, 32) + "' is not supported; use text, json_object or json_schema",
        "unsupported_value");
  }
}

void ReadStructuredOutputs(Fields& fields, std::string_view body, CommonRequest& request) {
  static constexpr std::string_view kName = "structured_outputs";
  const Json* outputs = fields.Object(kName);
  if (outputs == nullptr) return;
  Fields inner(*outputs, "structured_outputs.", fields.error());
  for (const std::string_view name : {"structural_tag", "whitespace_pattern"}) {
    if (inner.Find(name) != nullptr) inner.Fail(name, "is not supported", "unsupported_value");
  }
  ReadSchema(inner, "json", RawMember(body, kName), /*or_text=*/true, request);
  ReadText(inner, "regex", Kind::kRegex, request);
  ReadText(inner, "grammar", Kind::kEbnf, request);
  ReadChoice(inner, "choice", request);
  if (inner.Bool("json_object", false)) {
    SetRule(inner, "json_object", {Kind::kAnyObject, "", {}}, request);
  }
  if (request.text_field.empty()) {
    fields.Fail(kName, "must have one of json, regex, choice, grammar and json_object",
                "invalid_value");
  }
}

}  // namespace

void ParseTextRule(Fields& fields, std::string_view body, CommonRequest& request) {
  ReadResponseFormat(fields, body, request);
  ReadStructuredOutputs(fields, body, request);
  ReadSchema(fields, "guided_json", body, /*or_text=*/true, request);
  ReadText(fields, "guided_regex", Kind::kRegex, request);
  ReadText(fields, "guided_grammar", Kind::kEbnf, request);
  ReadChoice(fields, "guided_choice", request);
  if (fields.Find("guided_whitespace_pattern") != nullptr) {
    fields.Fail("guided_whitespace_pattern", "is not supported", "unsupported_value");
  }
}

}  // namespace skerry::engine::internal
