#include "bundler/format/names.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <string>

namespace skerry::format {

namespace {

constexpr size_t kMaxNameBytes = 255;
constexpr size_t kMaxNameParts = 8;
constexpr size_t kMaxIdPartBytes = 96;
constexpr size_t kMaxVersionBytes = 64;

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool IsNameCharacter(char c) { return IsAlphanumeric(c) || c == '.' || c == '_' || c == '-'; }

Error Refused(std::string_view what, std::string_view name, std::string_view why) {
  return Error(ErrorCode::kUntrusted,
               std::string(what) + " " + Quote(name) + " is refused: " + std::string(why));
}

std::string Folded(std::string_view name) {
  std::string folded(name);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

bool IsIdPart(std::string_view part) {
  return !part.empty() && part.size() <= kMaxIdPartBytes && IsAlphanumeric(part[0]) &&
         std::all_of(part.begin(), part.end(), IsNameCharacter);
}

}  // namespace

std::string Quote(std::string_view text) {
  constexpr size_t kMaxShown = 80;
  std::string quoted = "'";
  for (const char c : text.substr(0, kMaxShown)) {
    quoted += c >= 0x20 && c < 0x7f && c != '\'' ? c : '?';
  }
  return quoted + (text.size() > kMaxShown ? "...'" : "'");
}

Result<void> CheckFileName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) {
    return Refused("file name", name, "it must have 1 to 255 bytes");
  }
  size_t parts = 0;
  for (size_t at = 0; at <= name.size(); ++parts) {
    const size_t slash = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, slash - at);
    if (part.empty() || part == "." || part == "..") {
      return Refused("file name", name, "it must be relative, without empty, '.' or '..' parts");
    }
    if (!std::all_of(part.begin(), part.end(), IsNameCharacter)) {
      return Refused("file name", name, "only letters, digits and the characters . _ - / travel");
    }
    at = slash + 1;
  }
  if (parts > kMaxNameParts) return Refused("file name", name, "more than 8 directories deep");
  return {};
}

Result<void> CheckFileNames(std::span<const std::string_view> names) {
  std::set<std::string> folded_files;
  std::map<std::string, std::string_view> directories;  // folded -> as spelt
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string_view name = names[i];
    TRY(CheckFileName(name));
    if (i > 0 && !(names[i - 1] < name)) {
      return Refused("file name", name, "names must be sorted and distinct");
    }
    if (!folded_files.insert(Folded(name)).second) {
      return Refused("file name", name, "another one differs from it by case only");
    }
    for (size_t at = name.find('/'); at != std::string_view::npos; at = name.find('/', at + 1)) {
      const std::string_view directory = name.substr(0, at);
      const auto known = directories.try_emplace(Folded(directory), directory).first;
      if (known->second != directory) {
        return Refused("file name", name, "another directory differs from its own by case only");
      }
    }
  }
  for (const auto& [folded, directory] : directories) {
    if (folded_files.contains(folded)) {
      return Refused("file name", directory, "it is both a file and a directory");
    }
  }
  return {};
}

Result<void> CheckModelId(std::string_view id) {
  const size_t slash = id.find('/');
  if (slash == std::string_view::npos || !IsIdPart(id.substr(0, slash)) ||
      !IsIdPart(id.substr(slash + 1))) {
    return Error(ErrorCode::kInvalidArgument,
                 "id " + Quote(id) +
                     " must be ORG/NAME, each of letters, digits, '.', '_', '-', starting with a "
                     "letter or digit");
  }
  return {};
}

Result<void> CheckVersion(std::string_view version) {
  const bool ok = !version.empty() && version.size() <= kMaxVersionBytes &&
                  IsAlphanumeric(version[0]) &&
                  std::all_of(version.begin(), version.end(),
                              [](char c) { return IsNameCharacter(c) || c == '+'; });
  if (ok) return {};
  return Error(ErrorCode::kInvalidArgument,
               "version " + Quote(version) +
                   " must be letters, digits, '.', '_', '-', '+', starting with a letter or digit");
}

Result<void> CheckDay(std::string_view day) {
  constexpr std::string_view kForm = "dddd-dd-dd";
  bool ok = day.size() == kForm.size();
  for (size_t i = 0; ok && i < kForm.size(); ++i) {
    ok = kForm[i] == 'd' ? day[i] >= '0' && day[i] <= '9' : day[i] == kForm[i];
  }
  auto number = [&](size_t at, size_t count) {
    unsigned value = 0;
    for (const char c : day.substr(at, count)) value = value * 10 + static_cast<unsigned>(c - '0');
    return value;
  };
  if (ok) {
    const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(number(0, 4))),
                                           std::chrono::month(number(5, 2)),
                                           std::chrono::day(number(8, 2)));
    ok = date.ok() && number(0, 4) > 0;
  }
  if (ok) return {};
  return Error(ErrorCode::kInvalidArgument,
               Quote(day) + " must be a day of the calendar as YYYY-MM-DD, for example 2027-06-30");
}

bool IsPastDay(std::string_view day, const Clock& clock) {
  // Days in this form sort as text.
  return FormatUtc(clock.UnixMillis()).substr(0, day.size()) > day;
}

}  // namespace skerry::format
