#include "appliance/base/config.h"

#include <nlohmann/json.hpp>
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace skerry {

namespace {

Result<Json> ToJson(const toml::node& node) {
  if (const auto* table = node.as_table()) {
    Json object = Json::object();
    for (const auto& [key, value] : *table) {
      Json child = TRY(ToJson(value));
      object[std::string(key.str())] = std::move(child);
    }
    return object;
  }
  if (const auto* array = node.as_array()) {
    Json list = Json::array();
    for (const auto& value : *array) {
      Json child = TRY(ToJson(value));
      list.push_back(std::move(child));
    }
    return list;
  }
  if (const auto* text = node.as_string()) return Json(text->get());
  if (const auto* integer = node.as_integer()) return Json(integer->get());
  if (const auto* number = node.as_floating_point()) return Json(number->get());
  if (const auto* flag = node.as_boolean()) return Json(flag->get());
  return Error(ErrorCode::kInvalidArgument,
               "line " + std::to_string(node.source().begin.line) + ": dates are not used here");
}

}  // namespace

Result<Json> ParseToml(std::string_view text, std::string_view name) {
  const toml::parse_result parsed = toml::parse(text, name);
  if (!parsed) {
    const auto& error = parsed.error();
    return Error(ErrorCode::kInvalidArgument, std::string(name) + ":" +
                                                  std::to_string(error.source().begin.line) + ":" +
                                                  std::to_string(error.source().begin.column) +
                                                  ": " + std::string(error.description()));
  }
  return ToJson(parsed.table()).WithContext(name);
}

}  // namespace skerry
