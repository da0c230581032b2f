// A grammar as its readers write it down: expressions over characters, and rules that may refer to
// each other. What comes of it is an Nfa (nfa_builder.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/unicode/char_set.h"

namespace skerry::engine::internal {

using unicode::CharSet;

using ExprId = uint32_t;
using RuleId = uint32_t;

struct ByteDfa;

inline constexpr uint32_t kUnbounded = ~uint32_t{0};

struct Expression {
  enum class Kind : uint8_t {
    kChars,      // one character of `chars`
    kText,       // the bytes of texts[0]
    kLiterals,   // one of `texts`
    kSequence,   // all of `parts`
    kChoice,     // one of `parts`; of none: nothing matches
    kRepeat,     // parts[0], from `least` to `most` times
    kSeparated,  // parts[0], then any number of times parts[1] parts[0]
    kMembers,    // some of parts[1..] in this order, parts[0] between two of them
    kRule,       // what the rule says
    kDfa,        // a text of `dfa`
    kJsonDfa,    // the same, as it is written inside a JSON string
    kUntil,      // bytes up to the first of `texts`, then the part of the same number
  };
  Kind kind = Kind::kSequence;
  bool may_end = false;  // kUntil: none of `texts` need come
  CharSet chars;
  std::shared_ptr<const ByteDfa> dfa;  // shared by the expressions that name it
  std::vector<std::string> texts;
  std::vector<ExprId> parts;
  std::vector<bool> required;  // kMembers: of parts[1..]
  uint32_t least = 0;
  uint32_t most = 0;
  RuleId rule = 0;
  uint32_t depth = 1;  // of the tree below
};

// Owns the expressions and rules of one grammar. Parts are made before what they are parts of.
class GrammarSource {
 public:
  // Beyond this nothing is added and Full() says so: readers check it once, at their end.
  static constexpr size_t kMaxExpressions = 1 << 19;

  ExprId Empty() { return Sequence({}); }
  ExprId Nothing() { return Choice({}); }
  ExprId Chars(CharSet chars);
  ExprId Text(std::string_view bytes);
  ExprId Literals(std::vector<std::string> texts);
  ExprId Sequence(std::vector<ExprId> parts);
  ExprId Choice(std::vector<ExprId> parts);
  ExprId Repeat(ExprId part, uint32_t least, uint32_t most);
  ExprId Optional(ExprId part) { return Repeat(part, 0, 1); }
  ExprId Star(ExprId part) { return Repeat(part, 0, kUnbounded); }
  ExprId Separated(ExprId part, ExprId separator);
  ExprId Members(ExprId separator, const std::vector<ExprId>& members, std::vector<bool> required);
  ExprId Rule(RuleId rule);
  ExprId Dfa(std::shared_ptr<const ByteDfa> dfa, bool in_json_string);
  ExprId Until(std::vector<std::string> texts, std::vector<ExprId> behind, bool may_end);

  // A rule that matches nothing until it is set.
  RuleId AddRule(std::string name);
  void SetRule(RuleId rule, ExprId body) { rules_[rule].body = body; }
  void SetRoot(ExprId root) { root_ = root; }

  struct NamedRule {
    std::string name;
    ExprId body = 0;
  };
  const Expression& at(ExprId id) const { return expressions_[id]; }
  const std::vector<NamedRule>& rules() const { return rules_; }
  ExprId root() const { return root_; }
  bool Full() const { return full_; }

 private:
  ExprId Add(Expression expression);

  std::vector<Expression> expressions_ = std::vector<Expression>(1);  // 0: the empty sequence
  std::vector<NamedRule> rules_;
  ExprId root_ = 0;
  bool full_ = false;
};

}  // namespace skerry::engine::internal
