// What listings share: columns for people, times and durations in words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/json.h"
#include "appliance/base/result.h"

namespace skerry::cli {

// Rows under a head, columns as wide as their longest cell. Control characters in cells become '?'.
class Table {
 public:
  explicit Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  // Lines ended by '\n'; the last column is not padded.
  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "30d" -> milliseconds. Units s, m, h, d, w; a positive number of at most ten years.
// kInvalidArgument otherwise.
Result<int64_t> ParseDurationMs(std::string_view text);

// "2025-01-31 23:59" (UTC); "never" for 0.
std::string FormatDay(int64_t unix_millis);

// Fields of an answer, for showing: empty, 0, false or no items when absent or of another type.
std::string TextOf(const Json& object, std::string_view key);
int64_t IntOf(const Json& object, std::string_view key);
bool FlagOf(const Json& object, std::string_view key);
std::vector<std::string> StringsOf(const Json& object, std::string_view key);
Json ListOf(const Json& object, std::string_view key);

// "a, b"; for a list in a cell.
std::string Join(const std::vector<std::string>& items);

}  // namespace skerry::cli
