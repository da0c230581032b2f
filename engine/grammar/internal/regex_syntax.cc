#include "engine/grammar/internal/regex_syntax.h"

#include <optional>
#include <utility>

#include "engine/grammar/internal/regex_atoms.h"
#include "engine/tokenizer/utf8.h"

namespace skerry::engine::internal {
namespace {

// A pattern as a tree; anchors are still where they were written.
struct Node {
  enum class Kind : uint8_t { kChars, kSequence, kChoice, kRepeat, kBegin, kEnd };
  Kind kind = Kind::kSequence;
  CharSet chars;
  std::vector<Node> parts;
  uint32_t least = 0;
  uint32_t most = 0;
};

class Parser {
 public:
  explicit Parser(std::string_view pattern) : cursor_(pattern) {}

  Result<Node> Parse() {
    const bool both_cases = cursor_.Skip("(?i)");
    Node node = TRY(Alternatives(both_cases, 0));
    if (!cursor_.AtEnd()) return cursor_.Bad("a ) without (");
    return node;
  }

 private:
  using Kind = Node::Kind;

  Result<Node> Alternatives(bool both_cases, int depth) {
    if (depth > RegexSyntaxLimits::kMaxDepth) return cursor_.Bad("groups are nested too deeply");
    Node all;
    all.kind = Kind::kChoice;
    do {
      Node sequence;
      while (!cursor_.AtEnd() && !cursor_.StartsWith("|") && !cursor_.StartsWith(")")) {
        Node atom = TRY(Atom(both_cases, depth));
        Node repeated = TRY(Repetition(std::move(atom)));
        sequence.parts.push_back(std::move(repeated));
      }
      all.parts.push_back(std::move(sequence));
    } while (cursor_.Skip("|"));
    if (all.parts.size() == 1) return std::move(all.parts[0]);
    return all;
  }

  Result<Node> Atom(bool both_cases, int depth) {
    Node node;
    if (cursor_.StartsWith("(")) return Group(both_cases, depth);
    if (cursor_.Skip("^")) {
      node.kind = Kind::kBegin;
      return node;
    }
    if (cursor_.Skip("$")) {
      node.kind = Kind::kEnd;
      return node;
    }
    for (const char* repetition : {"*", "+", "?", "{"}) {
      if (cursor_.StartsWith(repetition)) {
        return cursor_.Bad("'" + std::string(repetition) + "' repeats nothing; as a character: \\" +
                           repetition);
      }
    }
    node.kind = Kind::kChars;
    node.chars = TRY(ParseRegexAtom(cursor_, both_cases));
    return node;
  }

  Result<Node> Group(bool both_cases, int depth) {
    cursor_.Skip("(");
    if (cursor_.Skip("?")) {
      if (cursor_.Skip("i:")) {
        both_cases = true;
      } else if ((cursor_.StartsWith("<") && !cursor_.StartsWith("<=") &&
                  !cursor_.StartsWith("<!")) ||
                 cursor_.StartsWith("P<")) {
        while (!cursor_.AtEnd() && cursor_.Next() != '>') continue;
      } else if (!cursor_.Skip(":")) {
        return cursor_.Bad("looking ahead or behind, and flags inside, are not supported");
      }
    }
    Node node = TRY(Alternatives(both_cases, depth + 1));
    if (!cursor_.Skip(")")) return cursor_.Bad("a ( without )");
    return node;
  }

  Result<Node> Repetition(Node node) {
    Node repeat;
    repeat.kind = Kind::kRepeat;
    repeat.most = kUnbounded;
    if (cursor_.Skip("?")) {
      repeat.most = 1;
    } else if (cursor_.Skip("+")) {
      repeat.least = 1;
    } else if (cursor_.StartsWith("{")) {
      TRY(Interval(repeat));
    } else if (!cursor_.Skip("*")) {
      return node;
    }
    cursor_.Skip("?");  // reluctant: the same texts
    if (cursor_.StartsWith("*") || cursor_.StartsWith("+") || cursor_.StartsWith("{")) {
      return cursor_.Bad("a repetition of a repetition needs a group");
    }
    repeat.parts.push_back(std::move(node));
    return repeat;
  }

  // {n}, {n,} or {n,m}.
  Result<void> Interval(Node& repeat) {
    cursor_.Skip("{");
    const std::optional<uint32_t> least = Number();
    std::optional<uint32_t> most = least;
    if (cursor_.Skip(",")) most = cursor_.StartsWith("}") ? kUnbounded : Number();
    if (!least || !most || !cursor_.Skip("}") || *least > *most) {
      return cursor_.Bad("not a repetition {n}, {n,} or {n,m}; as a character: \\{");
    }
    repeat.least = *least;
    repeat.most = *most;
    return {};
  }

  std::optional<uint32_t> Number() {
    std::optional<uint32_t> value;
    while (!cursor_.AtEnd() && cursor_.Peek() >= '0' && cursor_.Peek() <= '9') {
      if (value.value_or(0) > 100'000'000) return std::nullopt;
      value = value.value_or(0) * 10 + static_cast<uint32_t>(cursor_.Next() - '0');
    }
    return value;
  }

  PatternCursor cursor_;
};

// From the tree to expressions. Anchors are resolved: at an end of the text that has none, anything
// may come where a search is meant.
class Converter {
 public:
  Converter(RegexMeaning meaning, GrammarSource& source) : source_(source) {
    const bool search = meaning == RegexMeaning::kSearch;
    anything_ = search ? source.Star(source.Chars(CharSet::All())) : source.Empty();
  }

  // `first`, `last`: the node begins, ends the pattern.
  Result<ExprId> Convert(const Node& node, bool first, bool last) {
    if (!HasAnchor(node)) return WithEnds(Plain(node), first, last);
    switch (node.kind) {
      case Node::Kind::kChoice: {
        std::vector<ExprId> parts;
        for (const Node& part : node.parts) {
          const ExprId converted = TRY(Convert(part, first, last));
          parts.push_back(converted);
        }
        return source_.Choice(std::move(parts));
      }
      case Node::Kind::kSequence:
        return ConvertSequence(node, first, last);
      case Node::Kind::kBegin:
        if (!first) break;
        return last ? anything_ : source_.Empty();
      case Node::Kind::kEnd:
        if (!last) break;
        return first ? anything_ : source_.Empty();
      default:
        break;
    }
    return Error(ErrorCode::kInvalidArgument,
                 "pattern: ^ and $ are supported at the beginning and the end only");
  }

 private:
  Result<ExprId> ConvertSequence(const Node& node, bool first, bool last) {
    size_t begin = 0;
    size_t end = node.parts.size();
    bool open_begin = first;
    bool open_end = last;
    while (first && begin < end && node.parts[begin].kind == Node::Kind::kBegin) {
      open_begin = false;
      ++begin;
    }
    while (last && end > begin && node.parts[end - 1].kind == Node::Kind::kEnd) {
      open_end = false;
      --end;
    }
    std::vector<ExprId> parts;
    for (size_t i = begin; i < end; ++i) {
      const bool is_first = open_begin && i == begin;
      const bool is_last = open_end && i == end - 1;
      const ExprId part = TRY(Convert(node.parts[i], is_first, is_last));
      parts.push_back(part);
    }
    if (begin == end && (open_begin || open_end)) parts.push_back(anything_);
    return source_.Sequence(std::move(parts));
  }

  ExprId WithEnds(ExprId id, bool first, bool last) {
    if (!first && !last) return id;
    std::vector<ExprId> parts;
    if (first) parts.push_back(anything_);
    parts.push_back(id);
    if (last) parts.push_back(anything_);
    return source_.Sequence(std::move(parts));
  }

  static bool HasAnchor(const Node& node) {
    if (node.kind == Node::Kind::kBegin || node.kind == Node::Kind::kEnd) return true;
    for (const Node& part : node.parts) {
      if (HasAnchor(part)) return true;
    }
    return false;
  }

  ExprId Plain(const Node& node) {
    std::vector<ExprId> parts;
    for (const Node& part : node.parts) parts.push_back(Plain(part));
    switch (node.kind) {
      case Node::Kind::kChars:
        return source_.Chars(node.chars);
      case Node::Kind::kChoice:
        return source_.Choice(std::move(parts));
      case Node::Kind::kRepeat:
        return source_.Repeat(parts[0], node.least, node.most);
      default:
        return source_.Sequence(std::move(parts));
    }
  }

  GrammarSource& source_;
  ExprId anything_ = 0;
};

}  // namespace

Result<ExprId> ParseRegexSyntax(std::string_view pattern, RegexMeaning meaning,
                                GrammarSource& source) {
  if (pattern.size() > RegexSyntaxLimits::kMaxBytes) {
    return Error(ErrorCode::kExhausted,
                 "pattern: longer than " + std::to_string(RegexSyntaxLimits::kMaxBytes) + " bytes");
  }
  if (!IsValidUtf8(pattern)) return Error(ErrorCode::kInvalidArgument, "pattern: not UTF-8");
  const Node node = TRY(Parser(pattern).Parse());
  return Converter(meaning, source).Convert(node, true, true);
}

}  // namespace skerry::engine::internal
