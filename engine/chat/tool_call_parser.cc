#include "engine/chat/tool_call_parser.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "appliance/base/json.h"
#include "engine/chat/json_text.h"

namespace skerry::engine {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::optional<ToolCall> ReadItem(std::string_view item) {
  JsonLimits limits;
  limits.max_bytes = ToolCallParser::kMaxBytes;
  const Result<Json> json = ParseJson(item, limits);
  if (!json || !json->is_object()) return std::nullopt;
  const Result<std::string> name = GetString(*json, "name");
  if (!name || name->empty()) return std::nullopt;
  ToolCall call;
  call.name = *name;
  const auto arguments = json->find("arguments");
  if (arguments == json->end()) {
    call.arguments = "{}";
  } else if (arguments->is_object()) {
    call.arguments = std::string(RawMember(item, "arguments"));
  } else if (arguments->is_string()) {  // some models quote the object
    call.arguments = arguments->get<std::string>();
    const Result<Json> inner = ParseJson(call.arguments, limits);
    if (!inner || !inner->is_object()) return std::nullopt;
  } else {
    return std::nullopt;
  }
  return call;
}

}  // namespace

std::vector<ToolCall> ToolCallParser::Push(std::string_view text) {
  std::vector<ToolCall> calls;
  total_ += text.size();
  if (total_ > kMaxBytes) state_ = State::kMalformed;
  for (const char c : text) {
    text_ += c;
    if (state_ == State::kMalformed) continue;
    if (!Step(c)) {
      state_ = State::kMalformed;
    } else if (state_ == State::kInItem && depth_ == 0) {
      if (!EndItem(calls)) state_ = State::kMalformed;
    }
  }
  return calls;
}

// Follows the structure by one character; false where it is not a list of objects.
bool ToolCallParser::Step(char c) {
  switch (state_) {
    case State::kBeforeList:
      if (c == '[') state_ = State::kBeforeItem;
      return c == '[' || IsSpace(c);
    case State::kBeforeItem:
      if (c == '{') {
        state_ = State::kInItem;
        item_at_ = text_.size() - 1;
        depth_ = 1;
        in_string_ = false;
      }
      return c == '{' || IsSpace(c);
    case State::kInItem:
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
      return true;
    case State::kAfterItem:
      if (c == ',') state_ = State::kBeforeItem;
      if (c == ']') state_ = State::kAfterList;
      return c == ',' || c == ']' || IsSpace(c);
    case State::kAfterList:
      return IsSpace(c);
    case State::kMalformed:
      break;
  }
  return false;
}

bool ToolCallParser::EndItem(std::vector<ToolCall>& calls) {
  std::optional<ToolCall> call = ReadItem(std::string_view(text_).substr(item_at_));
  if (!call) return false;
  if (!offered_.empty() &&
      std::find(offered_.begin(), offered_.end(), call->name) == offered_.end()) {
    return false;
  }
  calls.push_back(std::move(*call));
  any_ = true;
  text_.clear();
  state_ = State::kAfterItem;
  return true;
}

std::string ToolCallParser::Rest() const {
  const bool complete = state_ == State::kAfterList || (state_ == State::kAfterItem && any_);
  return complete ? "" : text_;
}

}  // namespace skerry::engine
