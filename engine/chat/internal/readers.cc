#include "engine/chat/internal/readers.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "appliance/base/json.h"
#include "engine/chat/json_text.h"

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

Result<Json> Parse(std::string_view json) {
  JsonLimits limits;
  limits.max_bytes = AnswerReader::kMaxBytes;
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

std::optional<std::string_view> TagFinder::Follow(char c, std::string& text) {
  held_ += c;
  const size_t at = held_.find_first_not_of(kSpace);
  if (at == std::string::npos) {
    // Of white space no more is held than a tag is long.
    if (held_.size() > tags_[0].size()) {
      text += held_[0];
      held_.erase(0, 1);
    }
    return std::nullopt;
  }
  const std::string_view begun = std::string_view(held_).substr(at);
  for (const std::string_view tag : tags_) {
    if (tag == begun) return tag;
    if (tag.starts_with(begun)) return std::nullopt;
  }
  // The last character may begin another one.
  if (held_.size() > 1 && (c == '<' || IsJsonSpace(c))) {
    text.append(held_, 0, held_.size() - 1);
    held_.assign(1, c);
  } else {
    text += std::exchange(held_, "");
  }
  return std::nullopt;
}

std::string TagFinder::Take() { return std::exchange(held_, ""); }

bool TagFinder::blank() const { return held_.find_first_not_of(kSpace) == std::string::npos; }

bool Offered::Has(std::string_view name) const {
  return tools_.empty() || std::ranges::find(tools_, name, &OfferedTool::name) != tools_.end();
}

std::string_view Offered::Schema(std::string_view name) const {
  const auto found = std::ranges::find(tools_, name, &OfferedTool::name);
  return found == tools_.end() ? std::string_view() : std::string_view(found->parameters);
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
