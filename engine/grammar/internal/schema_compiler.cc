#include "engine/grammar/internal/schema_compiler.h"

#include <optional>
#include <utility>

#include "appliance/base/json.h"
#include "engine/grammar/internal/schema_merge.h"
#include "engine/grammar/json_schema.h"

namespace skerry::engine::internal {
namespace {

constexpr SchemaType kTypes[] = {SchemaType::kObject,  SchemaType::kArray,  SchemaType::kString,
                                 SchemaType::kInteger, SchemaType::kNumber, SchemaType::kBoolean,
                                 SchemaType::kNull};

// Whether `schema` says anything but `keyword`.
bool SaysMore(const OrderedJson& schema, std::string_view keyword) {
  for (const auto& [other, value] : schema.items()) {
    if (other != keyword && !IsAnnotation(other)) return true;
  }
  return false;
}

OrderedJson Without(OrderedJson schema, const char* keyword) {
  schema.erase(keyword);
  return schema;
}

// %41 is 'A': references are parts of URIs.
std::optional<std::string> PercentDecode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const std::string_view digits = text.substr(i + 1, 2);
    if (digits.size() != 2 ||
        digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
      return std::nullopt;
    }
    out += static_cast<char>(std::stoi(std::string(digits), nullptr, 16));
    i += 2;
  }
  return out;
}

}  // namespace

Result<ExprId> AddJsonSchema(std::string_view text, GrammarSource& source) {
  JsonLimits limits;
  limits.max_bytes = JsonSchemaLimits::kMaxBytes;
  limits.max_depth = JsonSchemaLimits::kMaxNesting;
  const Result<Json> checked = ParseJson(text, limits);
  if (!checked) {
    return Error(ErrorCode::kInvalidArgument, "schema: " + checked.error().message());
  }
  // The same text again, since a Json has lost the order of its members.
  const OrderedJson root = OrderedJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded()) return SchemaError("", "is no JSON");
  return SchemaCompiler(root, source).Compile(root, "");
}

Result<ExprId> SchemaCompiler::Compile(const OrderedJson& schema, const std::string& pointer) {
  if (++n_compiled_ > JsonSchemaLimits::kMaxSubschemas || depth_ >= JsonSchemaLimits::kMaxDepth ||
      source().Full()) {
    return Error(ErrorCode::kExhausted,
                 "schema: at '" + pointer + "': too large, or nested too deeply");
  }
  if (schema == true) return json_.AnyValue();
  if (schema == false) return source().Nothing();
  if (!schema.is_object()) return SchemaError(pointer, "is no schema");
  ++depth_;
  Result<ExprId> compiled = CompileObject(schema, pointer);
  --depth_;
  return compiled;
}

Result<ExprId> SchemaCompiler::CompileObject(const OrderedJson& schema,
                                             const std::string& pointer) {
  TRY(CheckKeywords(schema, pointer));
  if (const auto ref = schema.find("$ref"); ref != schema.end() && !SaysMore(schema, "$ref")) {
    return Reference(*ref, pointer);
  }
  if (const auto all = schema.find("allOf");
      all != schema.end() && all->is_array() && all->size() == 1 && !SaysMore(schema, "allOf")) {
    return Compile(all->front(), PointerTo(PointerTo(pointer, "allOf"), "0"));
  }
  if (schema.contains("$ref") || schema.contains("allOf")) {
    const OrderedJson flat = TRY(Flat(schema, pointer, 0));
    return Compile(flat, pointer);
  }
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (schema.contains(keyword)) return AnyOf(schema, keyword, pointer);
  }
  if (const auto value = schema.find("const"); value != schema.end()) {
    return Enumeration(Without(schema, "const"), OrderedJson::array({*value}), pointer);
  }
  if (const auto values = schema.find("enum"); values != schema.end()) {
    return Enumeration(Without(schema, "enum"), *values, pointer);
  }
  const SchemaTypes types = TRY(TypesOf(schema, pointer));
  if (types == kAllTypes) return json_.AnyValue();
  std::vector<ExprId> parts;
  for (const SchemaType type : kTypes) {
    if (!(types & TypeBit(type))) continue;
    if (type == SchemaType::kInteger && types & TypeBit(SchemaType::kNumber)) continue;
    const ExprId part = TRY(OfType(type, schema, pointer));
    parts.push_back(part);
  }
  return source().Choice(std::move(parts));
}

Result<ExprId> SchemaCompiler::OfType(SchemaType type, const OrderedJson& schema,
                                      const std::string& pointer) {
  switch (type) {
    case SchemaType::kNull:
      return json_.Text("null");
    case SchemaType::kBoolean:
      return json_.Boolean();
    case SchemaType::kInteger:
      return Number(schema, /*whole=*/true, pointer);
    case SchemaType::kNumber:
      return Number(schema, /*whole=*/false, pointer);
    case SchemaType::kString:
      return String(schema, pointer);
    case SchemaType::kArray:
      return Array(schema, pointer);
    case SchemaType::kObject:
      return Object(schema, pointer);
  }
  return source().Nothing();
}

Result<const OrderedJson*> SchemaCompiler::Target(const OrderedJson& ref,
                                                  const std::string& pointer) const {
  const auto bad = [&](const std::string& why) {
    return SchemaError(pointer, "$ref " + (ref.is_string() ? ref.dump() : "") + " " + why);
  };
  if (!ref.is_string()) return bad("is no text");
  const std::string& text = ref.get_ref<const std::string&>();
  if (!text.starts_with("#") || (text.size() > 1 && text[1] != '/')) {
    return bad("is not supported: only '#' and '#/...', inside of this schema");
  }
  const OrderedJson* at = &root_;
  std::string_view rest = std::string_view(text).substr(1);
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const size_t end = std::min(rest.find('/'), rest.size());
    const std::optional<std::string> decoded = PercentDecode(rest.substr(0, end));
    rest.remove_prefix(end);
    if (!decoded) return bad("has a '%' without two hexadecimal digits");
    std::string step;
    for (size_t i = 0; i < decoded->size(); ++i) {
      const char next = i + 1 < decoded->size() ? (*decoded)[i + 1] : 0;
      const bool escaped = (*decoded)[i] == '~' && (next == '0' || next == '1');
      step += !escaped ? (*decoded)[i] : next == '0' ? '~' : '/';
      if (escaped) ++i;
    }
    const OrderedJson* next = nullptr;
    if (at->is_object()) {
      if (const auto found = at->find(step); found != at->end()) next = &*found;
    } else if (at->is_array() && !step.empty() && step.size() < 7 &&
               step.find_first_not_of("0123456789") == std::string::npos) {
      const auto index = static_cast<size_t>(std::stoul(step));
      if (index < at->size()) next = &(*at)[index];
    }
    if (next == nullptr) return bad("leads nowhere");
    at = next;
  }
  return at;
}

Result<ExprId> SchemaCompiler::Reference(const OrderedJson& ref, const std::string& pointer) {
  const OrderedJson* target = TRY(Target(ref, pointer));
  const std::string name = ref.get<std::string>();
  const auto [place, is_new] = rules_.try_emplace(name, 0);
  if (!is_new) return source().Rule(place->second);
  place->second = source().AddRule(name);
  const RuleId rule = place->second;
  const ExprId body = TRY(Compile(*target, name.substr(1)));
  source().SetRule(rule, body);
  return source().Rule(rule);
}

Result<OrderedJson> SchemaCompiler::Flat(const OrderedJson& schema, const std::string& pointer,
                                         int depth) {
  if (depth > JsonSchemaLimits::kMaxDepth || ++n_compiled_ > JsonSchemaLimits::kMaxSubschemas) {
    return Error(ErrorCode::kExhausted,
                 "schema: at '" + pointer + "': $ref and allOf lead into each other without end");
  }
  if (schema == true) return OrderedJson::object();
  if (!schema.is_object()) return SchemaError(pointer, "is no schema that others can be added to");
  TRY(CheckKeywords(schema, pointer));
  OrderedJson flat = OrderedJson::object();
  for (const auto& [keyword, value] : schema.items()) {
    if (keyword == "$ref") {
      const OrderedJson* target = TRY(Target(value, pointer));
      const OrderedJson other = TRY(Flat(*target, value.get<std::string>().substr(1), depth + 1));
      flat = TRY(MergeSchemas(flat, other, pointer));
    } else if (keyword == "allOf") {
      if (!value.is_array()) return SchemaError(pointer, "'allOf' is no list");
      for (size_t i = 0; i < value.size(); ++i) {
        const std::string place = PointerTo(PointerTo(pointer, "allOf"), std::to_string(i));
        const OrderedJson other = TRY(Flat(value[i], place, depth + 1));
        flat = TRY(MergeSchemas(flat, other, pointer));
      }
    } else {
      flat = TRY(MergeSchemas(flat, OrderedJson{{keyword, value}}, pointer));
    }
  }
  return flat;
}

Result<ExprId> SchemaCompiler::AnyOf(const OrderedJson& schema, const char* keyword,
                                     const std::string& pointer) {
  const OrderedJson& list = schema[keyword];
  const std::string place = PointerTo(pointer, keyword);
  if (!list.is_array() || list.empty()) return SchemaError(place, "is no list of schemas");
  const OrderedJson base = Without(schema, keyword);
  const bool alone = !SaysMore(base, "");
  std::vector<ExprId> parts;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string at = PointerTo(place, std::to_string(i));
    if (alone) {
      const ExprId part = TRY(Compile(list[i], at));
      parts.push_back(part);
      continue;
    }
    if (list[i] == false) continue;
    const OrderedJson branch = TRY(Flat(list[i], at, 0));
    const OrderedJson merged = TRY(MergeSchemas(base, branch, at));
    const ExprId part = TRY(Compile(merged, at));
    parts.push_back(part);
  }
  return source().Choice(std::move(parts));
}

Result<ExprId> SchemaCompiler::Enumeration(const OrderedJson& schema, const OrderedJson& values,
                                           const std::string& pointer) {
  if (!values.is_array() || values.empty()) {
    return SchemaError(pointer, "'enum' is no list of values");
  }
  SchemaTypes types = kAllTypes;
  if (schema.contains("type")) types = TRY(TypesOf(schema, pointer));
  std::vector<std::string> texts;
  std::vector<ExprId> parts;
  for (const OrderedJson& value : values) {
    SchemaTypes type = TypeBit(TypeOfValue(value));
    if (type == TypeBit(SchemaType::kInteger)) type |= TypeBit(SchemaType::kNumber);
    if (!(types & type)) continue;
    for (const auto& [keyword, argument] : schema.items()) {
      if (keyword == "enum" || (TypesOfKeyword(keyword) & type)) {
        return SchemaError(pointer,
                           "'" + keyword + "' together with 'enum' or 'const' is not supported");
      }
    }
    if (value.is_string()) {
      texts.push_back(JsonValues::Quote(value.get_ref<const std::string&>()));
    } else if (value.is_structured()) {
      parts.push_back(json_.Literal(value));
    } else {
      texts.push_back(value.dump());
    }
  }
  if (!texts.empty()) parts.push_back(source().Literals(std::move(texts)));
  return source().Choice(std::move(parts));
}

}  // namespace skerry::engine::internal
