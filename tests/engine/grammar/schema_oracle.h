// Random schemas, documents that obey them, and a judge: written from the standard, without a look
// at the compiler.
#pragma once

#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace skerry::engine {

class SchemaOracle {
 public:
  using Value = nlohmann::ordered_json;

  explicit SchemaOracle(uint32_t seed) : random_(seed) {}

  Value RandomSchema(int depth) {
    switch (random_() % (depth > 0 ? 10 : 6)) {
      case 0:
        return {{"type", "boolean"}};
      case 1:
        return Integer();
      case 2:
        return {{"type", "number"}, {"minimum", -2.5}, {"maximum", double(random_() % 40) / 8}};
      case 3:
        return String();
      case 4:
        return {{"enum", Value::array({"one", "on\"e", 3, nullptr, false})}};
      case 5:
        return {{"type", Value::array({"string", "null"})}, {"maxLength", random_() % 4}};
      case 6:
        return Array(depth);
      case 7:
        return {{"anyOf", Value::array({RandomSchema(depth - 1), RandomSchema(depth - 1)})}};
      default:
        return Object(depth);
    }
  }

  // A document that obeys `schema`, one of RandomSchema's; properties in the schema's order.
  Value RandomValue(const Value& schema) {
    if (schema.contains("anyOf")) return RandomValue(schema["anyOf"][random_() % 2]);
    if (schema.contains("enum")) return schema["enum"][random_() % schema["enum"].size()];
    const std::string type = schema["type"].is_array() ? (random_() % 2 ? "string" : "null")
                                                       : schema["type"].get<std::string>();
    if (type == "null") return nullptr;
    if (type == "boolean") return random_() % 2 == 0;
    if (type == "string")
      return RandomText(schema.value("minLength", 0), schema.value("maxLength", 12));
    if (type == "integer")
      return Between(schema.value("minimum", -1000), schema.value("maximum", 100000));
    if (type == "number") {  // eighths, so that no digit is lost
      return double(Between(-20, int64_t(schema["maximum"].get<double>() * 8))) / 8;
    }
    if (type == "array") {
      Value array = Value::array();
      const Value prefix = schema.value("prefixItems", Value::array());
      const auto count = Between(schema.value("minItems", 0), schema.value("maxItems", 4));
      for (int64_t i = 0; i < count; ++i) {
        array.push_back(
            RandomValue(size_t(i) < prefix.size() ? prefix[size_t(i)] : schema["items"]));
      }
      return array;
    }
    Value object = Value::object();
    for (const auto& [name, property] : schema["properties"].items()) {
      const bool required = Has(schema["required"], name);
      if (required || random_() % 2) object[name] = RandomValue(property);
    }
    if (schema["additionalProperties"].is_object() && random_() % 2) {
      object["pX"] = RandomValue(schema["additionalProperties"]);
    }
    return object;
  }

  static bool Obeys(const Value& value, const Value& schema) {
    if (schema.contains("anyOf"))
      return Obeys(value, schema["anyOf"][0]) || Obeys(value, schema["anyOf"][1]);
    if (schema.contains("enum")) return Has(schema["enum"], value);
    const Value types = schema["type"].is_array() ? schema["type"] : Value::array({schema["type"]});
    bool typed = false;
    for (const Value& type : types) typed = typed || IsOfType(value, type);
    if (!typed) return false;
    if (value.is_number() &&
        (value < schema.value("minimum", value) || value > schema.value("maximum", value))) {
      return false;
    }
    if (value.is_string()) {
      size_t length = 0;
      for (const char c : value.get_ref<const std::string&>()) length += (c & 0xC0) != 0x80;
      return length >= schema.value("minLength", size_t{0}) &&
             length <= schema.value("maxLength", size_t{1} << 30);
    }
    if (value.is_array()) return ArrayObeys(value, schema);
    if (value.is_object()) return ObjectObeys(value, schema);
    return true;
  }

 private:
  int64_t Between(int64_t least, int64_t most) {
    return least + int64_t(random_() % uint64_t(most - least + 1));
  }
  static bool Has(const Value& list, const Value& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
  }
  static bool IsOfType(const Value& value, const std::string& type) {
    if (type == "null") return value.is_null();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    if (type == "string") return value.is_string();
    if (type == "array") return value.is_array();
    return value.is_object();
  }
  static bool ArrayObeys(const Value& value, const Value& schema) {
    if (value.size() < schema.value("minItems", size_t{0}) ||
        value.size() > schema.value("maxItems", size_t{1000})) {
      return false;
    }
    const Value prefix = schema.value("prefixItems", Value::array());
    for (size_t i = 0; i < value.size(); ++i) {
      if (!Obeys(value[i], i < prefix.size() ? prefix[i] : schema["items"])) return false;
    }
    return true;
  }
  static bool ObjectObeys(const Value& value, const Value& schema) {
    for (const Value& name : schema["required"]) {
      if (!value.contains(name.get<std::string>())) return false;
    }
    for (const auto& [name, member] : value.items()) {
      const bool named = schema["properties"].contains(name);
      const Value& obeyed = named ? schema["properties"][name] : schema["additionalProperties"];
      if (obeyed == false || !Obeys(member, obeyed)) return false;
    }
    return true;
  }

  Value Integer() {
    Value schema = {{"type", "integer"}};
    if (random_() % 2) schema["minimum"] = Between(-300, 300);
    if (random_() % 2) schema["maximum"] = 301 + int64_t(random_() % 90000);
    return schema;
  }
  Value String() {
    Value schema = {{"type", "string"}};
    const auto least = random_() % 5;
    if (random_() % 2) schema["minLength"] = least;
    if (random_() % 2) schema["maxLength"] = least + random_() % 60;
    return schema;
  }
  Value Array(int depth) {
    Value schema = {{"type", "array"}, {"items", RandomSchema(depth - 1)}};
    if (random_() % 3 == 0)
      schema["prefixItems"] = Value::array({RandomSchema(depth - 1), RandomSchema(0)});
    const auto least = random_() % 3;
    if (random_() % 2) schema["minItems"] = least;
    if (random_() % 2) schema["maxItems"] = least + random_() % 3;
    return schema;
  }
  Value Object(int depth) {
    Value schema = {
        {"type", "object"}, {"properties", Value::object()}, {"required", Value::array()}};
    for (auto n = random_() % 5; n > 0; --n) {
      const std::string name = "p" + std::to_string(random_() % 30);
      schema["properties"][name] = RandomSchema(depth - 1);
      if (random_() % 2 && !Has(schema["required"], name)) schema["required"].push_back(name);
    }
    schema["additionalProperties"] = random_() % 3 ? Value(false) : RandomSchema(0);
    return schema;
  }
  std::string RandomText(uint64_t least, uint64_t most) {
    static const char* const kChars[] = {
        "a",    " ",   "\"", "\\", "\n", "/", "Z", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\xA6\x99",
        "\x7F", "\x01"};
    std::string text;
    for (auto n = Between(int64_t(least), int64_t(most)); n > 0; --n)
      text += kChars[random_() % 12];
    return text;
  }

  std::mt19937 random_;
};

}  // namespace skerry::engine
