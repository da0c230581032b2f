// One reader of tool calls for each notation, and what they share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/chat/tool_call_reader.h"

namespace skerry::engine::internal {

bool IsJsonSpace(char c);

// Finds the end of a JSON object or array that comes in pieces, by its brackets alone.
class JsonExtent {
 public:
  // The next character, the first being the opening bracket; true for the last of the value.
  bool Ends(char c);

 private:
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

// The names a call may have; none means any.
class Offered {
 public:
  explicit Offered(std::vector<std::string> names) : names_(std::move(names)) {}
  bool Has(std::string_view name) const;

 private:
  std::vector<std::string> names_;
};

// A call from {"name": ..., "arguments" or "parameters": {...}}; nullopt when the text is no such
// object. Arguments that a model quoted are unwrapped.
std::optional<ToolCall> ReadCallObject(std::string_view json);
// Whether `json` is an object, and JSON at all.
bool IsJsonObject(std::string_view json);

std::unique_ptr<ToolCallReader> MakeListReader(std::vector<std::string> offered);
std::unique_ptr<ToolCallReader> MakeNamedReader(std::vector<std::string> offered);
std::unique_ptr<ToolCallReader> MakeHermesReader(std::vector<std::string> offered);
std::unique_ptr<ToolCallReader> MakeLlamaReader(std::vector<std::string> offered);

}  // namespace skerry::engine::internal
