#include "engine/grammar/internal/schema_merge.h"

#include <algorithm>

#include "engine/grammar/internal/schema_keywords.h"

namespace skerry::engine::internal {
namespace {

bool IsLowerBound(std::string_view keyword) {
  return keyword.starts_with("min") || keyword == "exclusiveMinimum";
}
bool IsUpperBound(std::string_view keyword) {
  return keyword.starts_with("max") || keyword == "exclusiveMaximum";
}

Error CannotMerge(std::string_view pointer, std::string_view keyword) {
  return SchemaError(pointer, "'" + std::string(keyword) +
                                  "' is given twice for the same value, which is not supported");
}

OrderedJson AsList(const OrderedJson& value) {
  return value.is_array() ? value : OrderedJson::array({value});
}

// Types that both name; "number" has "integer" in it.
OrderedJson CommonTypes(const OrderedJson& a, const OrderedJson& b) {
  OrderedJson common = OrderedJson::array();
  const auto has = [](const OrderedJson& list, const OrderedJson& name) {
    return std::ranges::find(list, name) != list.end();
  };
  const OrderedJson list_a = AsList(a);
  const OrderedJson list_b = AsList(b);
  for (const OrderedJson& name : list_a) {
    if (has(list_b, name) || (name == "integer" && has(list_b, "number"))) common.push_back(name);
  }
  if (!has(common, "integer") && has(list_b, "integer") && has(list_a, "number")) {
    common.push_back("integer");
  }
  return common;
}

OrderedJson CommonValues(const OrderedJson& a, const OrderedJson& b) {
  OrderedJson common = OrderedJson::array();
  for (const OrderedJson& value : a) {
    if (std::ranges::find(b, value) != b.end()) common.push_back(value);
  }
  return common;
}

// Both must hold, said with allOf: whoever compiles it merges it when it is needed.
OrderedJson Both(const OrderedJson& a, const OrderedJson& b) {
  if (a == b || b == true) return a;
  if (a == true) return b;
  return OrderedJson{{"allOf", OrderedJson::array({a, b})}};
}

// The properties of one schema must obey what the other says about those it does not name.
Result<void> CheckAdditional(const OrderedJson& a, const OrderedJson& b, std::string_view pointer) {
  const auto additional = a.find("additionalProperties");
  const auto named = b.find("properties");
  if (additional == a.end() || *additional == true || named == b.end() || !named->is_object()) {
    return {};
  }
  const auto own = a.find("properties");
  for (const auto& [name, value] : named->items()) {
    if (own == a.end() || !own->contains(name)) return CannotMerge(pointer, "additionalProperties");
  }
  return {};
}

Result<void> MergeKeyword(OrderedJson& merged, const std::string& keyword, const OrderedJson& value,
                          std::string_view pointer) {
  OrderedJson& have = merged[keyword];
  if (have == value) return {};
  if (keyword == "type") {
    have = CommonTypes(have, value);
  } else if (keyword == "enum") {
    have = CommonValues(have, value);
  } else if (keyword == "required" && have.is_array() && value.is_array()) {
    for (const OrderedJson& name : value) {
      if (std::ranges::find(have, name) == have.end()) have.push_back(name);
    }
  } else if (keyword == "properties" && have.is_object() && value.is_object()) {
    for (const auto& [name, property] : value.items()) {
      have[name] = have.contains(name) ? Both(have[name], property) : property;
    }
  } else if (keyword == "items" || keyword == "additionalProperties" ||
             keyword == "propertyNames") {
    have = Both(have, value);
  } else if (have.is_number() && value.is_number() && IsLowerBound(keyword)) {
    if (have < value) have = value;
  } else if (have.is_number() && value.is_number() && IsUpperBound(keyword)) {
    if (value < have) have = value;
  } else {
    return CannotMerge(pointer, keyword);
  }
  return {};
}

}  // namespace

Result<OrderedJson> MergeSchemas(const OrderedJson& a, const OrderedJson& b,
                                 std::string_view pointer) {
  TRY(CheckAdditional(a, b, pointer));
  TRY(CheckAdditional(b, a, pointer));
  OrderedJson merged = OrderedJson::object();
  for (const auto& [keyword, value] : a.items()) {
    if (!IsAnnotation(keyword)) merged[keyword] = value;
  }
  for (const auto& [keyword, value] : b.items()) {
    if (IsAnnotation(keyword)) continue;
    if (!merged.contains(keyword)) {
      merged[keyword] = value;
      continue;
    }
    TRY(MergeKeyword(merged, keyword, value, pointer));
  }
  return merged;
}

}  // namespace skerry::engine::internal
