#include "engine/chat/internal/typed_arguments.h"

#include <algorithm>
#include <set>

#include "engine/chat/answer_reader.h"
#include "engine/chat/json_text.h"

namespace skerry::engine::internal {
namespace {

constexpr int kMaxDepth = 8;  // of schemas that refer to others
constexpr size_t kMaxSchemaBytes = 16 << 20;

// Names of JSON types that a schema allows; none: it does not say.
using Types = std::set<std::string, std::less<>>;

std::string TypeOf(const Json& value) {
  if (value.is_number_integer()) return "integer";
  if (value.is_number()) return "number";
  return value.type_name();
}

// "#/$defs/Name" within `root`; null for any other reference.
const Json* Resolve(const Json& root, const std::string& reference) {
  if (!reference.starts_with("#/")) return nullptr;
  const Json* at = &root;
  size_t begin = 2;
  while (begin <= reference.size()) {
    const size_t end = std::min(reference.find('/', begin), reference.size());
    if (!at->is_object()) return nullptr;
    const auto found = at->find(reference.substr(begin, end - begin));
    if (found == at->end()) return nullptr;
    at = &*found;
    begin = end + 1;
  }
  return at;
}

void AddTypes(const Json& root, const Json& schema, int depth, Types& types) {
  if (!schema.is_object() || depth > kMaxDepth) return;
  if (const auto type = schema.find("type"); type != schema.end()) {
    if (type->is_string()) types.insert(type->get<std::string>());
    for (const Json& one : type->is_array() ? *type : Json::array()) {
      if (one.is_string()) types.insert(one.get<std::string>());
    }
    return;
  }
  if (const auto value = schema.find("const"); value != schema.end()) types.insert(TypeOf(*value));
  if (const auto list = schema.find("enum"); list != schema.end() && list->is_array()) {
    for (const Json& value : *list) types.insert(TypeOf(value));
  }
  if (const auto other = schema.find("$ref"); other != schema.end() && other->is_string()) {
    if (const Json* found = Resolve(root, other->get<std::string>()); found != nullptr) {
      AddTypes(root, *found, depth + 1, types);
    }
  }
  for (const char* key : {"anyOf", "oneOf", "allOf"}) {
    const auto list = schema.find(key);
    if (list == schema.end() || !list->is_array()) continue;
    for (const Json& one : *list) AddTypes(root, one, depth + 1, types);
  }
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

// Words that models spell as Python does.
std::string_view Spelling(std::string_view text, const Types& types) {
  const bool any = types.empty();
  if (any || types.contains("boolean")) {
    if (text == "True") return "true";
    if (text == "False") return "false";
  }
  if ((any || types.contains("null")) && text == "None") return "null";
  return text;
}

bool Allows(const Types& types, const Json& value) {
  if (types.contains(TypeOf(value))) return true;
  return value.is_number_integer() && types.contains("number");
}

}  // namespace

ArgumentTypes::ArgumentTypes(std::string_view schema) {
  JsonLimits limits;
  limits.max_bytes = kMaxSchemaBytes;
  limits.max_depth = 64;
  if (Result<Json> parsed = ParseJson(schema, limits)) schema_ = std::move(*parsed);
}

std::string ArgumentTypes::ToJson(std::string_view key, std::string_view text) const {
  Types types;
  const Json* properties = nullptr;
  if (schema_.is_object() && schema_.contains("properties")) properties = &schema_["properties"];
  if (properties != nullptr && properties->is_object()) {
    const auto property = properties->find(key);
    if (property == properties->end()) return QuoteJson(text);
    AddTypes(schema_, *property, 0, types);
  }
  const std::string_view bare = Spelling(Trim(text), types);
  JsonLimits limits;
  limits.max_bytes = AnswerReader::kMaxBytes;
  const Result<Json> parsed = ParseJson(bare, limits);
  if (!parsed) return QuoteJson(text);
  const bool string_allowed = types.empty() || types.contains("string");
  if (parsed->is_string()) {
    // Quotes belong to the text where only a string can be meant.
    return string_allowed ? QuoteJson(text) : std::string(bare);
  }
  if (Allows(types, *parsed) || !types.contains("string")) return std::string(bare);
  return QuoteJson(text);
}

}  // namespace skerry::engine::internal
