#include "engine/grammar/internal/regex_atoms.h"

#include <optional>
#include <vector>

#include "engine/unicode/category.h"
#include "engine/unicode/code_points.h"

namespace skerry::engine::internal {
namespace {

using unicode::CharSet;

CharSet Digits() { return {'0', '9'}; }
CharSet Words() { return CharSet({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}); }
// ECMA-262, WhiteSpace and LineTerminator.
CharSet Spaces() {
  return CharSet({{9, 13},
                  {' ', ' '},
                  {0xA0, 0xA0},
                  {0x1680, 0x1680},
                  {0x2000, 0x200A},
                  {0x2028, 0x2029},
                  {0x202F, 0x202F},
                  {0x205F, 0x205F},
                  {0x3000, 0x3000},
                  {0xFEFF, 0xFEFF}});
}
CharSet LineEnds() { return CharSet({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}); }

std::optional<uint32_t> HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint32_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<uint32_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<uint32_t>(c - 'A' + 10);
  return std::nullopt;
}

std::optional<uint32_t> Hex(PatternCursor& cursor, int n_digits) {
  uint32_t value = 0;
  for (int i = 0; i < n_digits; ++i) {
    if (cursor.AtEnd()) return std::nullopt;
    const std::optional<uint32_t> digit = HexDigit(cursor.Peek());
    if (!digit) return std::nullopt;
    cursor.Next();
    value = value << 4 | *digit;
  }
  return value;
}

// Behind \u.
Result<uint32_t> UnicodeEscape(PatternCursor& cursor) {
  std::optional<uint32_t> value;
  if (cursor.Skip("{")) {
    uint32_t sum = 0;
    int n_digits = 0;
    while (!cursor.AtEnd() && HexDigit(cursor.Peek()) && ++n_digits <= 6) {
      sum = sum << 4 | *HexDigit(cursor.Peek());
      cursor.Next();
    }
    if (n_digits > 0 && cursor.Skip("}")) value = sum;
  } else {
    value = Hex(cursor, 4);
    if (value && *value >> 10 == 0xD800 >> 10 && cursor.Skip("\\u")) {
      const std::optional<uint32_t> low = Hex(cursor, 4);
      if (!low || *low >> 10 != 0xDC00 >> 10) return cursor.Bad("half of a surrogate pair");
      value = 0x10000 + ((*value & 0x3FF) << 10 | (*low & 0x3FF));
    }
  }
  if (!value || *value >= unicode::kCodePoints) return cursor.Bad("not a code point");
  return *value;
}

// Behind \p or \P.
Result<CharSet> Property(PatternCursor& cursor) {
  std::string name;
  if (cursor.Skip("{")) {
    while (!cursor.AtEnd() && cursor.Peek() != '}' && name.size() < 40) {
      unicode::AppendCodePoint(cursor.Next(), name);
    }
    if (!cursor.Skip("}")) return cursor.Bad("a property without }");
  }
  const std::optional<unicode::CategorySet> categories = unicode::CategoryByName(name);
  if (!categories) {
    return cursor.Bad("unknown property '" + name + "': general categories such as L or Lu only");
  }
  return CharSet::OfCategories(*categories);
}

// Behind the backslash.
Result<CharSet> Escape(PatternCursor& cursor, bool in_class) {
  if (cursor.AtEnd()) return cursor.Bad("a \\ at the end");
  const uint32_t c = cursor.Next();
  const auto one = [](uint32_t character) { return CharSet(character, character); };
  switch (c) {
    case 'd':
      return Digits();
    case 'D':
      return Digits().Complement();
    case 'w':
      return Words();
    case 'W':
      return Words().Complement();
    case 's':
      return Spaces();
    case 'S':
      return Spaces().Complement();
    case 'p':
      return Property(cursor);
    case 'P': {
      const CharSet set = TRY(Property(cursor));
      return set.Complement();
    }
    case 'n':
      return one('\n');
    case 'r':
      return one('\r');
    case 't':
      return one('\t');
    case 'f':
      return one('\f');
    case 'v':
      return one('\v');
    case 'u': {
      const uint32_t value = TRY(UnicodeEscape(cursor));
      return one(value);
    }
    case 'x': {
      const std::optional<uint32_t> value = Hex(cursor, 2);
      if (!value) return cursor.Bad("\\x needs two hexadecimal digits");
      return one(*value);
    }
    case '0':
      if (!cursor.AtEnd() && cursor.Peek() >= '0' && cursor.Peek() <= '9') break;
      return one(0);
    case 'b':
      if (in_class) return one('\b');
      return cursor.Bad("borders of words (\\b) are not supported");
    default:
      if (c >= 0x80 ||
          std::string_view("_-/ \"'`~!@#%&=:;<>,^$\\.*+?()[]{}|").find(static_cast<char>(c)) !=
              std::string_view::npos) {
        return one(c);
      }
  }
  std::string text = "\\";
  unicode::AppendCodePoint(c, text);
  return cursor.Bad("'" + text + "' is not supported");
}

// One end of a range, or a class of its own.
Result<CharSet> ClassPart(PatternCursor& cursor) {
  if (cursor.AtEnd()) return cursor.Bad("a [ without ]");
  if (cursor.Skip("\\")) return Escape(cursor, /*in_class=*/true);
  if (cursor.StartsWith("[:") || cursor.StartsWith("&&")) {
    return cursor.Bad("[:...:] and && in classes mean different things to different programs");
  }
  const uint32_t c = cursor.Next();
  return CharSet(c, c);
}

bool IsOne(const CharSet& set) {
  return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].last;
}

}  // namespace

uint32_t PatternCursor::Next() { return unicode::NextCodePoint(text_, &at_); }

Error PatternCursor::Bad(const std::string& what) const {
  return Error(ErrorCode::kInvalidArgument, "pattern: byte " + std::to_string(at_) + ": " + what);
}

Result<CharSet> ParseRegexClass(PatternCursor& cursor, bool both_cases) {
  const bool negated = cursor.Skip("^");
  std::vector<CharSet::Range> ranges;
  while (!cursor.Skip("]")) {
    const CharSet low = TRY(ClassPart(cursor));
    const size_t behind = cursor.offset();
    if (cursor.Skip("-") && !cursor.AtEnd() && !cursor.StartsWith("]")) {
      const CharSet high = TRY(ClassPart(cursor));
      if (!IsOne(low) || !IsOne(high) || low.ranges()[0].first > high.ranges()[0].first) {
        return cursor.Bad("not a range");
      }
      ranges.push_back({low.ranges()[0].first, high.ranges()[0].first});
      continue;
    }
    cursor.Rewind(behind);
    ranges.insert(ranges.end(), low.ranges().begin(), low.ranges().end());
  }
  CharSet set(std::move(ranges));
  if (both_cases) set = set.WithBothCases();
  return negated ? set.Complement() : set;
}

Result<CharSet> ParseRegexAtom(PatternCursor& cursor, bool both_cases) {
  if (cursor.Skip("[")) return ParseRegexClass(cursor, both_cases);
  if (cursor.Skip(".")) return LineEnds().Complement();
  CharSet set;
  if (cursor.Skip("\\")) {
    set = TRY(Escape(cursor, /*in_class=*/false));
  } else {
    const uint32_t c = cursor.Next();
    set = CharSet(c, c);
  }
  return both_cases ? set.WithBothCases() : set;
}

}  // namespace skerry::engine::internal
