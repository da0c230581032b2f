// Reads fields of a JSON object and keeps the first error, in OpenAI's shape and with the field's
// path.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "appliance/base/json.h"
#include "appliance/http/error.h"

namespace skerry::engine::internal {

// The object that a request's body is; 400 for anything else.
std::optional<http::ApiError> ReadObject(std::string_view body, Json& document);

// One thread. null counts as absent everywhere, as clients send it so.
class Fields {
 public:
  // `path` stands before the names in errors: "messages[0]." or nothing.
  Fields(const Json& object, std::string path, std::optional<http::ApiError>& error)
      : object_(object), path_(std::move(path)), error_(error) {}

  // Null when absent.
  const Json* Find(std::string_view name) const {
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  std::string String(std::string_view name, std::string fallback = "");
  bool Bool(std::string_view name, bool fallback);
  std::optional<int64_t> Int(std::string_view name, int64_t min, int64_t max);
  double Number(std::string_view name, double fallback, double min, double max);
  const Json* Array(std::string_view name);
  const Json* Object(std::string_view name);

  std::string PathOf(std::string_view name) const { return path_ + std::string(name); }
  // Keeps the first error only. Returns false.
  bool Fail(std::string_view name, const std::string& message, std::string code);
  bool failed() const { return error_.has_value(); }
  std::optional<http::ApiError>& error() { return error_; }

 private:
  bool WrongType(std::string_view name, const Json& value, std::string_view wanted);

  const Json& object_;
  std::string path_;
  std::optional<http::ApiError>& error_;
};

}  // namespace skerry::engine::internal
