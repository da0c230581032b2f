#include "engine/tokenizer/internal/regex_classes.h"

#include <optional>

#include "engine/tokenizer/internal/regex_program.h"
#include "engine/unicode/code_points.h"

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kSyntaxCharacters = "\\^$.|?*+()[]{}/-!\"#%&',:;<=>@_`~ ";

Result<CharSet> ParseProperty(RegexCursor& cursor, bool negated) {
  if (!cursor.Skip("{")) return cursor.Bad("\\p without {");
  if (cursor.Skip("^")) negated = !negated;
  std::string name;
  while (!cursor.AtEnd() && cursor.Peek() != '}' && name.size() < 64) {
    unicode::AppendCodePoint(cursor.Next(), name);
  }
  if (!cursor.Skip("}")) return cursor.Bad("\\p{ without }");
  std::optional<CharSet> set;
  if (const auto categories = unicode::CategoryByName(name)) {
    set = CharSet::OfCategories(*categories);
  } else if (name == "Han" || name == "Script=Han" || name == "sc=Han") {
    set = CharSet::Han();
  } else if (name == "White_Space" || name == "Space" || name == "space") {
    set = CharSet::WhiteSpace();
  } else {
    return cursor.Bad("the class \\p{" + name + "} is not supported");
  }
  return negated ? set->Complement() : *set;
}

Result<CharSet> ParseHex(RegexCursor& cursor, size_t digits, bool braces) {
  uint32_t value = 0;
  size_t count = 0;
  while (count < digits && !cursor.AtEnd()) {
    const char c = cursor.Peek();
    const bool decimal = c >= '0' && c <= '9';
    const char letter = static_cast<char>(c | 0x20);
    if (!decimal && (letter < 'a' || letter > 'f')) break;
    value = value * 16 + static_cast<uint32_t>(decimal ? c - '0' : letter - 'a' + 10);
    cursor.Next();
    ++count;
  }
  if (count == 0 || (!braces && count < digits) || (braces && !cursor.Skip("}")) ||
      value >= unicode::kCodePoints) {
    return cursor.Bad("not a code point");
  }
  return CharSet(value, value);
}

std::optional<uint32_t> ControlEscape(uint32_t c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    case 'a':
      return '\a';
    case 'e':
      return 0x1B;
    default:
      return std::nullopt;
  }
}

// One element of a class: a set, and whether it is a single character (which may begin a range).
struct Element {
  CharSet set;
  bool single = false;
};

Result<Element> ParseElement(RegexCursor& cursor, int depth) {
  if (cursor.StartsWith("[:")) return cursor.Bad("[: :] classes are not supported");
  if (cursor.Skip("[")) {
    CharSet set = TRY(ParseClass(cursor, false, depth + 1));
    return Element{std::move(set), false};
  }
  if (cursor.Skip("\\")) {
    CharSet set = TRY(ParseEscape(cursor, false));
    const bool single = set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].last;
    return Element{std::move(set), single};
  }
  const uint32_t c = cursor.Next();
  return Element{CharSet(c, c), true};
}

}  // namespace

bool RegexCursor::Skip(std::string_view text) {
  if (!StartsWith(text)) return false;
  at_ += text.size();
  return true;
}

uint32_t RegexCursor::Next() { return unicode::NextCodePoint(pattern_, &at_); }

Error RegexCursor::Bad(const std::string& what) const {
  return Error(ErrorCode::kInvalidArgument, "pattern: " + what + " (before byte " +
                                                std::to_string(at_) + " of '" +
                                                std::string(pattern_.substr(0, 200)) + "')");
}

Result<CharSet> ParseEscape(RegexCursor& cursor, bool both_cases) {
  if (cursor.AtEnd()) return cursor.Bad("a backslash at the end");
  const uint32_t c = cursor.Next();
  switch (c) {
    case 's':
      return CharSet::WhiteSpace();
    case 'S':
      return CharSet::WhiteSpace().Complement();
    case 'd':
      return CharSet::OfCategories(unicode::Bit(unicode::kCategoryNd));
    case 'D':
      return CharSet::OfCategories(unicode::Bit(unicode::kCategoryNd)).Complement();
    case 'w':
      return CharSet::WordChars();
    case 'W':
      return CharSet::WordChars().Complement();
    case 'p':
      return ParseProperty(cursor, false);
    case 'P':
      return ParseProperty(cursor, true);
    case 'u':
      return ParseHex(cursor, 4, false);
    case 'x':
      return cursor.Skip("{") ? ParseHex(cursor, 8, true) : ParseHex(cursor, 2, false);
    default:
      break;
  }
  if (const auto control = ControlEscape(c)) return CharSet(*control, *control);
  if (c >= 0x80 || kSyntaxCharacters.find(static_cast<char>(c)) != std::string_view::npos) {
    const CharSet set(c, c);
    return both_cases ? set.WithBothCases() : set;
  }
  return cursor.Bad("\\" + std::string(1, static_cast<char>(c)) + " is not supported");
}

Result<CharSet> ParseClass(RegexCursor& cursor, bool both_cases, int depth) {
  if (depth > RegexLimits::kMaxDepth) return cursor.Bad("nested too deeply");
  const bool negated = cursor.Skip("^");
  std::optional<CharSet> left;  // of the last &&
  CharSet set;
  bool first = true;
  while (true) {
    if (cursor.AtEnd()) return cursor.Bad("[ without ]");
    if (!first && cursor.Skip("]")) break;
    first = false;
    if (cursor.Skip("&&")) {
      left = left ? left->Intersection(set) : set;
      set = CharSet();
      continue;
    }
    Element element = TRY(ParseElement(cursor, depth));
    if (element.single && cursor.StartsWith("-") && !cursor.StartsWith("-]")) {
      cursor.Skip("-");
      if (cursor.AtEnd()) return cursor.Bad("[ without ]");
      const Element last = TRY(ParseElement(cursor, depth));
      const uint32_t from = element.set.ranges()[0].first;
      if (!last.single || last.set.ranges()[0].first < from) return cursor.Bad("a bad range");
      element.set = CharSet(from, last.set.ranges()[0].first);
    }
    set = set.Union(element.set);
  }
  if (left) set = left->Intersection(set);
  if (both_cases) set = set.WithBothCases();
  return negated ? set.Complement() : set;
}

}  // namespace skerry::engine::internal
