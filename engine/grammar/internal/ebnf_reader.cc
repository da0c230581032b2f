#include "engine/grammar/internal/ebnf_reader.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "engine/grammar/ebnf.h"
#include "engine/grammar/internal/regex_atoms.h"
#include "engine/grammar/internal/regex_syntax.h"
#include "engine/tokenizer/utf8.h"
#include "engine/unicode/code_points.h"

namespace skerry::engine::internal {
namespace {

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

class Reader {
 public:
  Reader(std::string_view text, GrammarSource& source)
      : text_(text), cursor_(text), source_(source) {}

  Result<ExprId> Read() {
    SkipSpace();
    while (!cursor_.AtEnd()) {
      TRY(Rule());
      SkipSpace();
    }
    for (const auto& [name, entry] : rules_) {
      if (!entry.defined) {
        cursor_.Rewind(entry.offset);
        return Bad("there is no rule '" + name + "'");
      }
    }
    for (const char* root : {"root", "start"}) {
      if (const auto found = rules_.find(root); found != rules_.end()) {
        return source_.Rule(found->second.rule);
      }
    }
    return Error(ErrorCode::kInvalidArgument, "grammar: there is no rule 'root'");
  }

 private:
  struct Entry {
    RuleId rule = 0;
    bool defined = false;
    size_t offset = 0;  // where it was named first
  };

  size_t Line() const {
    const std::string_view before = text_.substr(0, cursor_.offset());
    return static_cast<size_t>(std::ranges::count(before, '\n')) + 1;
  }

  Error Bad(const std::string& what) const {
    return Error(ErrorCode::kInvalidArgument,
                 "grammar: line " + std::to_string(Line()) + ": " + what);
  }

  void SkipSpace() {
    while (!cursor_.AtEnd()) {
      if (cursor_.Skip(" ") || cursor_.Skip("\t") || cursor_.Skip("\r") || cursor_.Skip("\n")) {
        continue;
      }
      if (!cursor_.StartsWith("#") && !cursor_.StartsWith("//")) return;
      while (!cursor_.AtEnd() && cursor_.Peek() != '\n') cursor_.Next();
    }
  }

  std::string Name() {
    std::string name;
    while (!cursor_.AtEnd() && IsNameChar(cursor_.Peek()) && !cursor_.StartsWith("->")) {
      name += static_cast<char>(cursor_.Next());
    }
    return name;
  }

  // Whether a rule begins here: a name and its sign.
  bool AtRule() {
    const size_t here = cursor_.offset();
    cursor_.Skip("?") || cursor_.Skip("!");
    const std::string name = Name();
    SkipSpace();
    const bool is_rule = !name.empty() && (cursor_.StartsWith(":"));
    cursor_.Rewind(here);
    return is_rule;
  }

  Entry& EntryOf(const std::string& name) {
    const auto [place, is_new] = rules_.try_emplace(name);
    if (is_new) place->second = {source_.AddRule(name), false, cursor_.offset()};
    return place->second;
  }

  Result<void> Rule() {
    if (cursor_.StartsWith("%")) {
      return Bad("directives such as %import and %ignore are not supported: write the rules out");
    }
    if (!AtRule()) return Bad("a rule 'name ::= ...' was expected");
    cursor_.Skip("?") || cursor_.Skip("!");
    const std::string name = Name();
    SkipSpace();
    lark_ = !cursor_.Skip("::=");
    if (lark_) cursor_.Skip(":");
    Entry& entry = EntryOf(name);
    if (entry.defined) return Bad("rule '" + name + "' is there twice");
    entry.defined = true;
    const RuleId rule = entry.rule;
    SkipSpace();
    const ExprId body = TRY(Alternatives(0));
    source_.SetRule(rule, body);
    if (!cursor_.AtEnd() && !cursor_.StartsWith("%") && !AtRule()) {
      return Bad("'" + std::string(1, cursor_.Peek()) + "' was not expected");
    }
    return {};
  }

  Result<ExprId> Alternatives(int depth) {
    if (depth > EbnfLimits::kMaxDepth) return Bad("brackets are nested too deeply");
    std::vector<ExprId> parts;
    do {
      SkipSpace();
      const ExprId part = TRY(Sequence(depth));
      parts.push_back(part);
    } while (cursor_.Skip("|"));
    return source_.Choice(std::move(parts));
  }

  Result<ExprId> Sequence(int depth) {
    std::vector<ExprId> parts;
    while (!cursor_.AtEnd() && !AtRule()) {
      if (cursor_.Skip("->")) {  // the name of an alternative
        SkipSpace();
        if (Name().empty()) return Bad("a name was expected behind '->'");
        SkipSpace();
        continue;
      }
      const std::optional<ExprId> atom = TRY(Atom(depth));
      if (!atom) break;
      const ExprId part = TRY(Repetitions(*atom));
      parts.push_back(part);
    }
    return source_.Sequence(std::move(parts));
  }

  // Nothing where no atom begins.
  Result<std::optional<ExprId>> Atom(int depth) {
    if (cursor_.Skip("\"")) {
      const ExprId literal = TRY(Literal());
      return std::optional(literal);
    }
    if (cursor_.Skip("(") || (lark_ && cursor_.Skip("["))) {
      const bool optional = text_[cursor_.offset() - 1] == '[';
      const ExprId group = TRY(Alternatives(depth + 1));
      if (!cursor_.Skip(optional ? "]" : ")")) return Bad("a bracket is not closed");
      return std::optional(optional ? source_.Optional(group) : group);
    }
    if (cursor_.Skip("[")) {
      Result<CharSet> chars = ParseRegexClass(cursor_, /*both_cases=*/false);
      if (!chars) return Bad(chars.error().message());
      return std::optional(source_.Chars(std::move(*chars)));
    }
    if (cursor_.Skip(".")) return std::optional(source_.Chars(CharSet::All()));
    if (cursor_.Skip("/")) {
      const ExprId pattern = TRY(Pattern());
      return std::optional(pattern);
    }
    const std::string name = Name();
    if (name.empty()) return std::optional<ExprId>();
    return std::optional(source_.Rule(EntryOf(name).rule));
  }

  // Behind its first quote.
  Result<ExprId> Literal() {
    std::string text;
    while (true) {
      if (cursor_.AtEnd() || cursor_.StartsWith("\n")) return Bad("a text without its last '\"'");
      if (cursor_.Skip("\"")) break;
      // Escapes are those of patterns, of characters only.
      const size_t here = cursor_.offset();
      if (!cursor_.StartsWith("\\")) {
        unicode::AppendCodePoint(cursor_.Next(), text);
        continue;
      }
      cursor_.Skip("\\");
      if (cursor_.Skip("U")) {
        const uint32_t c = TRY(LongEscape());
        unicode::AppendCodePoint(c, text);
        continue;
      }
      cursor_.Rewind(here);
      const Result<CharSet> chars = ParseRegexAtom(cursor_, /*both_cases=*/false);
      if (!chars) return Bad(chars.error().message());
      const auto& ranges = chars->ranges();
      if (ranges.size() != 1 || ranges[0].first != ranges[0].last) {
        return Bad("an escape in a text that is no character");
      }
      unicode::AppendCodePoint(ranges[0].first, text);
    }
    if (!IsValidUtf8(text)) return Bad("half of a surrogate pair");
    if (!cursor_.Skip("i")) return source_.Text(text);
    std::vector<ExprId> parts;
    for (size_t at = 0; at < text.size();) {
      const uint32_t c = unicode::NextCodePoint(text, &at);
      parts.push_back(source_.Chars(CharSet(c, c).WithBothCases()));
    }
    return source_.Sequence(std::move(parts));
  }

  // Behind \U: eight hexadecimal digits.
  Result<uint32_t> LongEscape() {
    uint32_t value = 0;
    for (int i = 0; i < 8; ++i) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      const char c = cursor_.AtEnd() ? ' ' : static_cast<char>(cursor_.Peek() | 0x20);
      const size_t digit = kDigits.find(c);
      if (digit == std::string_view::npos || value >= unicode::kCodePoints) {
        return Bad("\\U needs eight hexadecimal digits of a code point");
      }
      cursor_.Next();
      value = value << 4 | static_cast<uint32_t>(digit);
    }
    if (value >= unicode::kCodePoints) return Bad("\\U: not a code point");
    return value;
  }

  // Behind its first slash.
  Result<ExprId> Pattern() {
    const size_t start = cursor_.offset();
    bool in_class = false;
    while (!cursor_.AtEnd() && !cursor_.StartsWith("\n") && (in_class || cursor_.Peek() != '/')) {
      const uint32_t c = cursor_.Next();
      if (c == '\\' && !cursor_.AtEnd()) cursor_.Next();
      if (c == '[') in_class = true;
      if (c == ']') in_class = false;
    }
    std::string pattern(text_.substr(start, cursor_.offset() - start));
    if (!cursor_.Skip("/")) return Bad("a pattern without its last '/'");
    if (cursor_.Skip("i")) pattern.insert(0, "(?i)");
    if (!cursor_.AtEnd() && IsNameChar(cursor_.Peek())) return Bad("only /.../i is supported");
    const Result<ExprId> parsed = ParseRegexSyntax(pattern, RegexMeaning::kWhole, source_);
    if (!parsed) return Bad(parsed.error().message());
    return *parsed;
  }

  Result<ExprId> Repetitions(ExprId part) {
    while (true) {
      // A '?' may also be the mark of the next rule.
      if (!AtRule() && cursor_.Skip("?")) {
        part = source_.Optional(part);
      } else if (cursor_.Skip("*")) {
        part = source_.Star(part);
      } else if (cursor_.Skip("+")) {
        part = source_.Repeat(part, 1, kUnbounded);
      } else if (cursor_.Skip("{")) {
        part = TRY(Interval(part, ",", "}"));
      } else if (cursor_.Skip("~")) {
        part = TRY(Interval(part, "..", ""));
      } else {
        SkipSpace();
        return part;
      }
    }
  }

  Result<ExprId> Interval(ExprId part, std::string_view separator, std::string_view close) {
    SkipSpace();
    const std::optional<uint32_t> least = Number();
    std::optional<uint32_t> most = least;
    if (close != "") SkipSpace();
    if (cursor_.Skip(separator)) {
      SkipSpace();
      most = Number();
      if (!most && !close.empty()) most = kUnbounded;
      if (close != "") SkipSpace();
    }
    if (!most || !cursor_.Skip(close) || least.value_or(0) > *most) {
      return Bad("not a repetition {n}, {n,} or {n,m}");
    }
    return source_.Repeat(part, least.value_or(0), *most);
  }

  std::optional<uint32_t> Number() {
    std::optional<uint32_t> value;
    while (!cursor_.AtEnd() && cursor_.Peek() >= '0' && cursor_.Peek() <= '9') {
      if (value.value_or(0) > 100'000'000) return std::nullopt;
      value = value.value_or(0) * 10 + static_cast<uint32_t>(cursor_.Next() - '0');
    }
    return value;
  }

  std::string_view text_;
  PatternCursor cursor_;
  GrammarSource& source_;
  std::map<std::string, Entry> rules_;
  bool lark_ = false;  // the notation of the current rule
};

}  // namespace

Result<ExprId> ReadEbnf(std::string_view text, GrammarSource& source) {
  if (text.size() > EbnfLimits::kMaxBytes) {
    return Error(ErrorCode::kExhausted,
                 "grammar: longer than " + std::to_string(EbnfLimits::kMaxBytes) + " bytes");
  }
  if (!IsValidUtf8(text)) return Error(ErrorCode::kInvalidArgument, "grammar: not UTF-8");
  return Reader(text, source).Read();
}

}  // namespace skerry::engine::internal
