#include "appliance/cli/listing.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "appliance/base/clock.h"
#include "appliance/base/log.h"

namespace skerry::cli {

namespace {

constexpr int64_t kMaxDurationMs = int64_t{10} * 366 * 24 * 3'600 * 1'000;

struct Unit {
  char letter;
  int64_t seconds;
};
constexpr Unit kUnits[] = {
    {'s', 1}, {'m', 60}, {'h', 3'600}, {'d', 24 * 3'600}, {'w', 7 * 24 * 3'600}};

}  // namespace

std::string Table::Text() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += OneLine(row[i]);
      if (i + 1 < row.size()) text.append(widths[i] - row[i].size() + 2, ' ');
    }
    while (text.ends_with(' ')) text.pop_back();
    text += '\n';
  }
  return text;
}

Result<int64_t> ParseDurationMs(std::string_view text) {
  const Error error(ErrorCode::kInvalidArgument,
                    "'" + std::string(text) + "' is not a duration: write 90m, 12h, 30d or 8w");
  int64_t number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end.ec != std::errc() || end.ptr + 1 != text.data() + text.size()) return error;
  for (const Unit& unit : kUnits) {
    if (unit.letter != *end.ptr) continue;
    if (number < 1 || number > kMaxDurationMs / 1'000 / unit.seconds) return error;
    return number * unit.seconds * 1'000;
  }
  return error;
}

std::string FormatDay(int64_t unix_millis) {
  if (unix_millis == 0) return "never";
  std::string text = FormatUtc(unix_millis).substr(0, 16);
  text[10] = ' ';
  return text;
}

std::string TextOf(const Json& object, std::string_view key) {
  const Result<std::string> text = GetString(object, key);
  return text ? *text : "";
}

int64_t IntOf(const Json& object, std::string_view key) {
  const Result<int64_t> number = GetInt(object, key);
  return number ? *number : 0;
}

bool FlagOf(const Json& object, std::string_view key) {
  const Result<bool> flag = GetBool(object, key);
  return flag && *flag;
}

Json ListOf(const Json& object, std::string_view key) {
  if (!object.is_object()) return Json::array();
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : Json::array();
}

std::vector<std::string> StringsOf(const Json& object, std::string_view key) {
  std::vector<std::string> strings;
  for (const Json& item : ListOf(object, key)) {
    if (item.is_string()) strings.push_back(item.get<std::string>());
  }
  return strings;
}

std::string Join(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

}  // namespace skerry::cli
