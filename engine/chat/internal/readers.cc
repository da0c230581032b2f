#include "engine/chat/internal/readers.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "engine/chat/json_text.h"

namespace skerry::engine::internal {
namespace {

Result<Json> Parse(std::string_view json) {
  JsonLimits limits;
  limits.max_bytes = ToolCallReader::kMaxBytes;
  return ParseJson(json, limits);
}

}  // namespace

bool IsJsonSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool JsonExtent::Ends(char c) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
  } else if (c == '"') {
    in_string_ = true;
  } else if (c == '{' || c == '[') {
    ++depth_;
  } else if (c == '}' || c == ']') {
    --depth_;
  }
  return depth_ <= 0;
}

bool Offered::Has(std::string_view name) const {
  return names_.empty() || std::ranges::find(names_, name) != names_.end();
}

bool IsJsonObject(std::string_view json) {
  const Result<Json> parsed = Parse(json);
  return parsed && parsed->is_object();
}

std::optional<ToolCall> ReadCallObject(std::string_view json) {
  const Result<Json> parsed = Parse(json);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const Result<std::string> name = GetString(*parsed, "name");
  if (!name || name->empty()) return std::nullopt;
  ToolCall call;
  call.name = *name;
  call.arguments = "{}";
  for (const char* key : {"arguments", "parameters"}) {
    const auto arguments = parsed->find(key);
    if (arguments == parsed->end()) continue;
    if (arguments->is_object()) {
      call.arguments = std::string(RawMember(json, key));
      return call;
    }
    if (!arguments->is_string()) return std::nullopt;
    call.arguments = arguments->get<std::string>();
    if (!IsJsonObject(call.arguments)) return std::nullopt;
    return call;
  }
  return call;
}

}  // namespace skerry::engine::internal
