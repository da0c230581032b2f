#include "engine/grammar/internal/schema_keywords.h"

#include <algorithm>
#include <iterator>

#include "engine/grammar/internal/nfa_builder.h"

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kAnnotations[] = {"title",         "description",      "default",
                                             "examples",      "example",          "$schema",
                                             "$id",           "$comment",         "$anchor",
                                             "$defs",         "definitions",      "deprecated",
                                             "readOnly",      "writeOnly",        "contentEncoding",
                                             "contentSchema", "contentMediaType", "externalDocs",
                                             "discriminator", "$vocabulary",      "xml"};

constexpr std::string_view kGeneral[] = {"$ref", "allOf", "anyOf", "oneOf",
                                         "enum", "const", "type",  "nullable"};

struct KeywordTypes {
  std::string_view keyword;
  SchemaTypes types;
};
constexpr SchemaTypes kNumbers = TypeBit(SchemaType::kInteger) | TypeBit(SchemaType::kNumber);
constexpr SchemaTypes kStrings = TypeBit(SchemaType::kString);
constexpr SchemaTypes kArrays = TypeBit(SchemaType::kArray);
constexpr SchemaTypes kObjects = TypeBit(SchemaType::kObject);
constexpr KeywordTypes kTyped[] = {{"minimum", kNumbers},
                                   {"maximum", kNumbers},
                                   {"exclusiveMinimum", kNumbers},
                                   {"exclusiveMaximum", kNumbers},
                                   {"minLength", kStrings},
                                   {"maxLength", kStrings},
                                   {"pattern", kStrings},
                                   {"format", kStrings},
                                   {"items", kArrays},
                                   {"prefixItems", kArrays},
                                   {"additionalItems", kArrays},
                                   {"minItems", kArrays},
                                   {"maxItems", kArrays},
                                   {"properties", kObjects},
                                   {"required", kObjects},
                                   {"additionalProperties", kObjects},
                                   {"patternProperties", kObjects},
                                   {"propertyNames", kObjects},
                                   {"minProperties", kObjects},
                                   {"maxProperties", kObjects}};

constexpr std::string_view kTypeNames[] = {"null",   "boolean", "integer", "number",
                                           "string", "array",   "object"};

// Keywords whose value decides whether they restrict anything.
bool SaysNothing(std::string_view keyword, const OrderedJson& value) {
  if (keyword == "uniqueItems") return value == false;
  if (keyword == "unevaluatedProperties" || keyword == "unevaluatedItems") return value == true;
  return false;
}

Result<SchemaTypes> TypeByName(const OrderedJson& name, std::string_view pointer) {
  if (name.is_string()) {
    const auto found = std::ranges::find(kTypeNames, name.get_ref<const std::string&>());
    if (found != std::end(kTypeNames)) {
      const auto type = static_cast<SchemaType>(found - std::begin(kTypeNames));
      return TypeBit(type);
    }
  }
  return SchemaError(pointer,
                     "'type' is none of null, boolean, integer, number, string, array, "
                     "object, or a list of these");
}

}  // namespace

bool IsAnnotation(std::string_view keyword) {
  return keyword.starts_with("x-") ||
         std::ranges::find(kAnnotations, keyword) != std::end(kAnnotations);
}

bool IsGeneral(std::string_view keyword) {
  return std::ranges::find(kGeneral, keyword) != std::end(kGeneral);
}

SchemaTypes TypesOfKeyword(std::string_view keyword) {
  const auto found = std::ranges::find(kTyped, keyword, &KeywordTypes::keyword);
  return found == std::end(kTyped) ? 0 : found->types;
}

Error SchemaError(std::string_view pointer, const std::string& what) {
  return Error(ErrorCode::kInvalidArgument,
               "schema: " + (pointer.empty() ? "" : "at '" + std::string(pointer) + "': ") + what);
}

std::string PointerTo(std::string_view pointer, std::string_view step) {
  std::string out(pointer);
  out += '/';
  for (const char c : step) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

Result<void> CheckKeywords(const OrderedJson& schema, std::string_view pointer) {
  for (const auto& [keyword, value] : schema.items()) {
    if (IsAnnotation(keyword) || IsGeneral(keyword) || TypesOfKeyword(keyword) != 0 ||
        SaysNothing(keyword, value)) {
      continue;
    }
    return SchemaError(pointer, "'" + keyword + "' is not supported");
  }
  return {};
}

Result<SchemaTypes> TypesOf(const OrderedJson& schema, std::string_view pointer) {
  SchemaTypes types = 0;
  const auto type = schema.find("type");
  if (type == schema.end()) {
    for (const auto& [keyword, value] : schema.items()) types |= TypesOfKeyword(keyword);
    if (types == 0) types = kAllTypes;
  } else if (type->is_array()) {
    for (const OrderedJson& name : *type) {
      const SchemaTypes one = TRY(TypeByName(name, pointer));
      types |= one;
    }
  } else {
    types = TRY(TypeByName(*type, pointer));
  }
  if (schema.value("nullable", OrderedJson()) == true) types |= TypeBit(SchemaType::kNull);
  return types;
}

SchemaType TypeOfValue(const OrderedJson& value) {
  switch (value.type()) {
    case OrderedJson::value_t::null:
      return SchemaType::kNull;
    case OrderedJson::value_t::boolean:
      return SchemaType::kBoolean;
    case OrderedJson::value_t::string:
      return SchemaType::kString;
    case OrderedJson::value_t::array:
      return SchemaType::kArray;
    case OrderedJson::value_t::object:
      return SchemaType::kObject;
    case OrderedJson::value_t::number_float: {
      const double number = value.get<double>();
      return number == static_cast<double>(static_cast<int64_t>(std::clamp(number, -9e15, 9e15)))
                 ? SchemaType::kInteger
                 : SchemaType::kNumber;
    }
    default:
      return SchemaType::kInteger;
  }
}

Result<uint32_t> CountOr(const OrderedJson& schema, const char* keyword, uint32_t fallback,
                         std::string_view pointer) {
  const auto found = schema.find(keyword);
  if (found == schema.end()) return fallback;
  if (!found->is_number_unsigned()) {
    return SchemaError(pointer, "'" + std::string(keyword) + "' is no whole number");
  }
  if (found->get<uint64_t>() > NfaLimits::kMaxRepeat) {
    return SchemaError(pointer, "'" + std::string(keyword) + "' is more than " +
                                    std::to_string(NfaLimits::kMaxRepeat));
  }
  return static_cast<uint32_t>(found->get<uint64_t>());
}

}  // namespace skerry::engine::internal
