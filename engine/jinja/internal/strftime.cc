#include "engine/jinja/internal/strftime.h"

#include <ctime>

namespace skerry::engine::jinja {

std::string FormatTime(std::string_view format, int64_t micros) {
  time_t seconds = micros / 1'000'000;
  int64_t rest = micros % 1'000'000;
  if (rest < 0) {
    rest += 1'000'000;
    --seconds;
  }
  std::tm time{};
  gmtime_r(&seconds, &time);
  std::string result;
  for (size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%' || at + 1 >= format.size()) {
      result.push_back(format[at]);
      continue;
    }
    size_t end = at + 1;
    while (end < format.size() &&
           std::string_view("-_0^#").find(format[end]) != std::string_view::npos)
      ++end;
    const char kind = end < format.size() ? format[end] : '%';
    const std::string directive(format.substr(at, end + 1 - at));
    at = end;
    if (kind == 'z' || kind == 'Z') continue;
    if (kind == 'f') {
      const std::string digits = std::to_string(rest);
      result += std::string(6 - digits.size(), '0') + digits;
      continue;
    }
    char buffer[128];
    // Each call formats one directive, none of which is that long.
    const size_t n = std::strftime(buffer, sizeof buffer, directive.c_str(), &time);
    result.append(buffer, n);
  }
  return result;
}

}  // namespace skerry::engine::jinja
