#include "engine/api/internal/request_head.h"

#include <charconv>

namespace skerry::engine::internal {

using http::ApiError;

ApiError TooLong(int64_t limit, const std::string& what) {
  return {400,
          "This model's maximum context length is " + std::to_string(limit) + " tokens. However, " +
              what + ". Please reduce your prompt; or completion length.",
          "context_length_exceeded", "messages"};
}

ApiError BeyondLease(const std::string& what, int64_t lease) {
  return {429, what + "; " + std::to_string(lease) + " were granted to this request",
          "lease_exceeded", ""};
}

std::optional<int64_t> LeaseTokens(const http::RequestHead& head, std::optional<ApiError>& error) {
  const std::string* value = http::FindHeader(head.headers, "skerry-lease");
  if (value == nullptr) return std::nullopt;
  constexpr std::string_view kPrefix = "tokens=";
  int64_t tokens = 0;
  const char* end = value->data() + value->size();
  if (value->starts_with(kPrefix)) {
    const auto parsed = std::from_chars(value->data() + kPrefix.size(), end, tokens);
    if (parsed.ec == std::errc() && parsed.ptr == end && tokens > 0) return tokens;
  }
  error =
      ApiError{400, "the header skerry-lease must be tokens=N", "invalid_value", "skerry-lease"};
  return std::nullopt;
}

std::optional<ApiError> CheckName(const std::string& wanted, const std::string& served,
                                  const http::RequestHead& head, std::string& name) {
  const std::string* alias = http::FindHeader(head.headers, "skerry-model");
  name = alias != nullptr ? *alias : served;
  if (alias != nullptr || wanted.empty() || wanted == served) return std::nullopt;
  return ApiError{
      404, "this server has no model '" + wanted.substr(0, 128) + "'; it serves '" + served + "'",
      "model_not_found", "model"};
}

double NumberHeader(const http::RequestHead& head, std::string_view name, double fallback) {
  const std::string* value = http::FindHeader(head.headers, name);
  if (value == nullptr) return fallback;
  double number = 0;
  const char* end = value->data() + value->size();
  const auto parsed = std::from_chars(value->data(), end, number);
  return parsed.ec == std::errc() && parsed.ptr == end ? number : fallback;
}

std::string TextHeader(const http::RequestHead& head, std::string_view name) {
  const std::string* value = http::FindHeader(head.headers, name);
  return value == nullptr ? "" : *value;
}

}  // namespace skerry::engine::internal
