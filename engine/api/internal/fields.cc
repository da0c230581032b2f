#include "engine/api/internal/fields.h"

#include "engine/api/request.h"

namespace skerry::engine::internal {
namespace {

constexpr size_t kMaxDepth = 64;

}  // namespace

std::optional<http::ApiError> ReadObject(std::string_view body, Json& document) {
  JsonLimits limits;
  limits.max_bytes = kMaxBodyBytes;
  limits.max_depth = kMaxDepth;
  Result<Json> parsed = ParseJson(body, limits);
  if (!parsed) {
    return http::ApiError{
        400, "the body is not the JSON this server accepts: " + parsed.error().message(),
        "invalid_json", ""};
  }
  if (!parsed->is_object()) {
    return http::ApiError{400, "the body must be a JSON object", "invalid_json", ""};
  }
  document = std::move(*parsed);
  return std::nullopt;
}

bool Fields::Fail(std::string_view name, const std::string& message, std::string code) {
  if (!error_) {
    error_ =
        http::ApiError{400, "'" + PathOf(name) + "' " + message, std::move(code), PathOf(name)};
  }
  return false;
}

bool Fields::WrongType(std::string_view name, const Json& value, std::string_view wanted) {
  return Fail(name, "must be " + std::string(wanted) + ", not " + value.type_name(),
              "invalid_type");
}

std::string Fields::String(std::string_view name, std::string fallback) {
  const Json* value = Find(name);
  if (value == nullptr) return fallback;
  if (value->is_string()) return value->get<std::string>();
  WrongType(name, *value, "a string");
  return fallback;
}

bool Fields::Bool(std::string_view name, bool fallback) {
  const Json* value = Find(name);
  if (value == nullptr) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  WrongType(name, *value, "true or false");
  return fallback;
}

std::optional<int64_t> Fields::Int(std::string_view name, int64_t min, int64_t max) {
  const Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer()) {
    WrongType(name, *value, "an integer");
    return std::nullopt;
  }
  const bool beyond = value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX;
  const int64_t number = beyond ? INT64_MAX : value->get<int64_t>();
  if (beyond || number < min || number > max) {
    Fail(name, "must be " + std::to_string(min) + " to " + std::to_string(max), "invalid_value");
    return std::nullopt;
  }
  return number;
}

double Fields::Number(std::string_view name, double fallback, double min, double max) {
  const Json* value = Find(name);
  if (value == nullptr) return fallback;
  if (!value->is_number()) {
    WrongType(name, *value, "a number");
    return fallback;
  }
  const auto number = value->get<double>();
  if (number >= min && number <= max) return number;
  Fail(name, "must be " + Json(min).dump() + " to " + Json(max).dump(), "invalid_value");
  return fallback;
}

const Json* Fields::Array(std::string_view name) {
  const Json* value = Find(name);
  if (value == nullptr || value->is_array()) return value;
  WrongType(name, *value, "an array");
  return nullptr;
}

const Json* Fields::Object(std::string_view name) {
  const Json* value = Find(name);
  if (value == nullptr || value->is_object()) return value;
  WrongType(name, *value, "an object");
  return nullptr;
}

}  // namespace skerry::engine::internal
