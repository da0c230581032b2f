#include "engine/architectures/internal/module_pattern.h"

#include <optional>
#include <string>

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kRegex = "re:";
// In a pattern: any text, and any one character. No name has these characters.
constexpr char kAnyText = '*';
constexpr char kAnyCharacter = '?';

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

// Linear in the product of both lengths: after a mismatch only the last kAnyText takes more.
bool Matches(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == kAnyText) {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (pattern[p] == kAnyCharacter || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == kAnyText) ++p;
  return p == pattern.size();
}

// The pattern of a regular expression that begins where the name does; none for what patterns
// cannot say.
std::optional<std::string> PatternOf(std::string_view regex) {
  if (regex.starts_with('^')) regex.remove_prefix(1);
  const bool whole = regex.ends_with('$');
  if (whole) regex.remove_suffix(1);
  std::string pattern;
  for (size_t i = 0; i < regex.size(); ++i) {
    const char next = i + 1 < regex.size() ? regex[i + 1] : '\0';
    if (regex[i] == '.' && next == '*') {
      pattern += kAnyText;
      ++i;
    } else if (regex[i] == '.') {
      pattern += kAnyCharacter;
    } else if (regex[i] == '\\' && next == '.') {
      pattern += '.';
      ++i;
    } else if (IsNameCharacter(regex[i])) {
      pattern += regex[i];
    } else {
      return std::nullopt;
    }
  }
  return whole ? pattern : pattern + kAnyText;
}

// Whether the steps of path `entry` follow one another somewhere in `module`.
bool IsPartOfPath(std::string_view entry, std::string_view module) {
  for (size_t at = module.find(entry); at != std::string_view::npos;
       at = module.find(entry, at + 1)) {
    const size_t end = at + entry.size();
    const bool begins = at == 0 || module[at - 1] == '.';
    const bool ends = end == module.size() || module[end] == '.';
    if (begins && ends) return true;
  }
  return false;
}

}  // namespace

bool NamesModule(std::string_view entry, std::string_view module) {
  if (entry.empty()) return false;
  if (entry.starts_with(kRegex)) {
    const std::optional<std::string> pattern = PatternOf(entry.substr(kRegex.size()));
    return pattern && Matches(*pattern, module);
  }
  if (entry.find(kAnyText) == std::string_view::npos) return IsPartOfPath(entry, module);
  for (size_t end = module.find('.'); end != std::string_view::npos;
       end = module.find('.', end + 1)) {
    if (Matches(entry, module.substr(0, end))) return true;
  }
  return Matches(entry, module);
}

}  // namespace skerry::engine::internal
