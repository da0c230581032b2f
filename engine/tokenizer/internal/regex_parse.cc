// From the notation to a tree, and from the tree to a program.
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "engine/tokenizer/internal/regex_classes.h"
#include "engine/tokenizer/internal/regex_program.h"

namespace skerry::engine::internal {
namespace {

constexpr int kUnbounded = std::numeric_limits<int>::max();

struct Node {
  enum class Kind : uint8_t { kSet, kCheck, kSequence, kAlternatives, kRepeat };
  Kind kind = Kind::kSequence;
  CharSet set;          // kSet, kCheck
  bool at_end = false;  // kCheck
  std::vector<Node> children;
  int least = 0;  // kRepeat
  int most = 0;
  bool reluctant = false;
};

Node Check(CharSet set, bool at_end) {
  Node node;
  node.kind = Node::Kind::kCheck;
  node.set = std::move(set);
  node.at_end = at_end;
  return node;
}

class Parser {
 public:
  explicit Parser(std::string_view pattern) : cursor_(pattern) {}

  Result<Node> Parse() {
    Node node = TRY(Alternatives(false, 0));
    if (!cursor_.AtEnd()) return cursor_.Bad(") without (");
    return node;
  }

 private:
  Result<Node> Alternatives(bool both_cases, int depth) {
    if (depth > RegexLimits::kMaxDepth) return cursor_.Bad("nested too deeply");
    if (cursor_.Skip("(?i)")) both_cases = true;  // for all of the group, at its beginning only
    Node all;
    all.kind = Node::Kind::kAlternatives;
    do {
      Node sequence;
      while (!cursor_.AtEnd() && cursor_.Peek() != '|' && cursor_.Peek() != ')') {
        Node atom = TRY(Atom(both_cases, depth));
        Node repeated = TRY(Repetitions(std::move(atom)));
        sequence.children.push_back(std::move(repeated));
      }
      all.children.push_back(std::move(sequence));
    } while (cursor_.Skip("|"));
    if (all.children.size() == 1) return std::move(all.children[0]);
    return all;
  }

  Result<Node> Atom(bool both_cases, int depth) {
    Node node;
    node.kind = Node::Kind::kSet;
    if (cursor_.StartsWith("(")) return Group(both_cases, depth);
    if (cursor_.Skip("[")) {
      node.set = TRY(ParseClass(cursor_, both_cases, depth));
      return node;
    }
    if (cursor_.Skip("\\")) {
      node.set = TRY(ParseEscape(cursor_, both_cases));
      return node;
    }
    if (cursor_.Skip("$")) return Check(CharSet('\n', '\n'), /*at_end=*/true);
    if (cursor_.Skip(".")) {
      node.set = CharSet('\n', '\n').Complement();
      return node;
    }
    if (cursor_.StartsWith("^")) return cursor_.Bad("^ is not supported");
    for (const char c : {'?', '*', '+'}) {
      if (cursor_.Peek() == c) return cursor_.Bad("a repetition of nothing");
    }
    const uint32_t c = cursor_.Next();
    node.set = CharSet(c, c);
    if (both_cases) node.set = node.set.WithBothCases();
    return node;
  }

  Result<Node> Group(bool both_cases, int depth) {
    const bool ahead = cursor_.Skip("(?=");
    const bool not_ahead = !ahead && cursor_.Skip("(?!");
    if (!ahead && !not_ahead) {
      if (cursor_.Skip("(?i:")) {
        both_cases = true;
      } else if (!cursor_.Skip("(?:")) {
        cursor_.Skip("(");
        if (cursor_.StartsWith("?")) return cursor_.Bad("this kind of group is not supported");
      }
    }
    Node node = TRY(Alternatives(both_cases, depth + 1));
    if (!cursor_.Skip(")")) return cursor_.Bad("( without )");
    if (!ahead && !not_ahead) return node;
    CharSet set;
    if (!Single(node, set)) return cursor_.Bad("looking ahead is supported for one character only");
    return ahead ? Check(std::move(set), false) : Check(set.Complement(), true);
  }

  // Whether `node` always is one character; adds those to `set`.
  static bool Single(const Node& node, CharSet& set) {
    switch (node.kind) {
      case Node::Kind::kSet:
        set = set.Union(node.set);
        return true;
      case Node::Kind::kSequence:
        return node.children.size() == 1 && Single(node.children[0], set);
      case Node::Kind::kAlternatives:
        for (const Node& child : node.children) {
          if (!Single(child, set)) return false;
        }
        return true;
      case Node::Kind::kCheck:
      case Node::Kind::kRepeat:
        return false;
    }
    return false;
  }

  Result<Node> Repetitions(Node node) {
    while (true) {
      int least = 0;
      int most = kUnbounded;
      bool interval = false;
      if (cursor_.Skip("?")) {
        most = 1;
      } else if (cursor_.Skip("+")) {
        least = 1;
      } else if (cursor_.StartsWith("{")) {
        interval = TRY(Interval(least, most));
        if (!interval) return cursor_.Bad("a { that is no repetition must be written \\{");
      } else if (!cursor_.Skip("*")) {
        return node;
      }
      Node repeat;
      repeat.kind = Node::Kind::kRepeat;
      repeat.least = least;
      repeat.most = most;
      if (cursor_.Skip("+")) {
        if (interval) return cursor_.Bad("{...}+ means different things to different programs");
        CharSet set;
        if (!Single(node, set)) {
          return cursor_.Bad("a possessive repetition is supported for one character only");
        }
        node = Possessive(std::move(set), least, most);
        continue;
      }
      repeat.reluctant = cursor_.Skip("?");
      repeat.children.push_back(std::move(node));
      node = std::move(repeat);
    }
  }

  // What cannot be given back: the characters, and then one that is none of them.
  static Node Possessive(CharSet set, int least, int most) {
    Node one;
    one.kind = Node::Kind::kSet;
    one.set = set;
    Node stop = Check(set.Complement(), /*at_end=*/true);
    Node all;
    if (most == 1) {
      all.kind = Node::Kind::kAlternatives;
      all.children = {std::move(one), std::move(stop)};
      return all;
    }
    Node repeat;
    repeat.kind = Node::Kind::kRepeat;
    repeat.least = least;
    repeat.most = most;
    repeat.children.push_back(std::move(one));
    all.children = {std::move(repeat), std::move(stop)};
    return all;
  }

  // {n}, {n,}, {,m} or {n,m}; false when it is none.
  Result<bool> Interval(int& least, int& most) {
    cursor_.Skip("{");
    const auto number = [&]() -> int {
      int value = -1;
      while (!cursor_.AtEnd() && cursor_.Peek() >= '0' && cursor_.Peek() <= '9') {
        value = std::min((value < 0 ? 0 : value) * 10 + (cursor_.Peek() - '0'), 1 << 20);
        cursor_.Next();
      }
      return value;
    };
    const int first = number();
    int second = first;
    if (cursor_.Skip(",")) second = number();
    const bool has_comma = second != first || first < 0;
    if (!cursor_.Skip("}") || (first < 0 && second < 0)) return false;
    least = std::max(first, 0);
    most = second >= 0 ? second : kUnbounded;
    if (!has_comma) most = least;
    if (least > RegexLimits::kMaxRepeat || (most != kUnbounded && most > RegexLimits::kMaxRepeat) ||
        least > most) {
      return cursor_.Bad("a bad repetition");
    }
    return true;
  }

  RegexCursor cursor_;
};

// Instructions are made from the last to the first, so that each knows its successor.
class Emitter {
 public:
  Result<RegexProgram> Emit(const Node& node) {
    const uint32_t match = Add({});
    program_.start = Emit(node, match);
    if (program_.instructions.size() > RegexLimits::kMaxInstructions ||
        program_.sets.size() > RegexLimits::kMaxSets) {
      return Error(ErrorCode::kExhausted, "pattern: too large");
    }
    return std::move(program_);
  }

 private:
  using Kind = RegexInstruction::Kind;

  bool Full() const {
    return program_.instructions.size() > RegexLimits::kMaxInstructions ||
           program_.sets.size() > RegexLimits::kMaxSets;
  }

  uint32_t Add(RegexInstruction instruction) {
    program_.instructions.push_back(instruction);
    return static_cast<uint32_t>(program_.instructions.size() - 1);
  }

  uint16_t SetNumber(const CharSet& set) {
    for (size_t i = 0; i < program_.sets.size(); ++i) {
      if (program_.sets[i] == set) return static_cast<uint16_t>(i);
    }
    program_.sets.push_back(set);
    return static_cast<uint16_t>(program_.sets.size() - 1);
  }

  uint32_t Split(uint32_t inside, uint32_t outside, bool reluctant) {
    return reluctant ? Add({Kind::kSplit, false, 0, outside, inside})
                     : Add({Kind::kSplit, false, 0, inside, outside});
  }

  uint32_t Emit(const Node& node, uint32_t next) {
    if (Full()) return next;
    switch (node.kind) {
      case Node::Kind::kSet:
        return Add({Kind::kChar, false, SetNumber(node.set), next, 0});
      case Node::Kind::kCheck:
        return Add({Kind::kCheck, node.at_end, SetNumber(node.set), next, 0});
      case Node::Kind::kSequence:
        for (size_t i = node.children.size(); i-- > 0;) next = Emit(node.children[i], next);
        return next;
      case Node::Kind::kAlternatives: {
        uint32_t entry = Emit(node.children.back(), next);
        for (size_t i = node.children.size() - 1; i-- > 0;) {
          entry = Split(Emit(node.children[i], next), entry, false);
        }
        return entry;
      }
      case Node::Kind::kRepeat:
        return EmitRepeat(node, next);
    }
    return next;
  }

  uint32_t EmitRepeat(const Node& node, uint32_t next) {
    const Node& child = node.children[0];
    uint32_t entry = next;
    if (node.most == kUnbounded) {
      entry = Split(0, next, node.reluctant);
      const uint32_t body = Emit(child, entry);
      RegexInstruction& loop = program_.instructions[entry];
      (node.reluctant ? loop.other : loop.next) = body;
    } else {
      for (int i = node.least; i < node.most && !Full(); ++i) {
        entry = Split(Emit(child, entry), next, node.reluctant);
      }
    }
    for (int i = 0; i < node.least && !Full(); ++i) entry = Emit(child, entry);
    return entry;
  }

  RegexProgram program_;
};

}  // namespace

Result<RegexProgram> ParseRegex(std::string_view pattern) {
  if (pattern.size() > RegexLimits::kMaxPatternBytes) {
    return Error(
        ErrorCode::kExhausted,
        "pattern: longer than " + std::to_string(RegexLimits::kMaxPatternBytes) + " bytes");
  }
  const Node tree = TRY(Parser(pattern).Parse());
  return Emitter().Emit(tree);
}

}  // namespace skerry::engine::internal
