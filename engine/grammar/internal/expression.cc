#include "engine/grammar/internal/expression.h"

#include <algorithm>
#include <utility>

namespace skerry::engine::internal {

using Kind = Expression::Kind;

ExprId GrammarSource::Add(Expression expression) {
  if (expressions_.size() >= kMaxExpressions) {
    full_ = true;
    return 0;
  }
  for (const ExprId part : expression.parts) {
    expression.depth = std::max(expression.depth, expressions_[part].depth + 1);
  }
  expressions_.push_back(std::move(expression));
  return static_cast<ExprId>(expressions_.size() - 1);
}

ExprId GrammarSource::Chars(CharSet chars) {
  Expression expression;
  expression.kind = Kind::kChars;
  expression.chars = std::move(chars);
  return Add(std::move(expression));
}

ExprId GrammarSource::Text(std::string_view bytes) {
  Expression expression;
  expression.kind = Kind::kText;
  expression.texts = {std::string(bytes)};
  return Add(std::move(expression));
}

ExprId GrammarSource::Literals(std::vector<std::string> texts) {
  Expression expression;
  expression.kind = Kind::kLiterals;
  expression.texts = std::move(texts);
  return Add(std::move(expression));
}

ExprId GrammarSource::Sequence(std::vector<ExprId> parts) {
  if (parts.size() == 1) return parts[0];
  Expression expression;
  expression.kind = Kind::kSequence;
  expression.parts = std::move(parts);
  return Add(std::move(expression));
}

ExprId GrammarSource::Choice(std::vector<ExprId> parts) {
  if (parts.size() == 1) return parts[0];
  Expression expression;
  expression.kind = Kind::kChoice;
  expression.parts = std::move(parts);
  return Add(std::move(expression));
}

ExprId GrammarSource::Repeat(ExprId part, uint32_t least, uint32_t most) {
  if (least == 1 && most == 1) return part;
  Expression expression;
  expression.kind = Kind::kRepeat;
  expression.parts = {part};
  expression.least = least;
  expression.most = most;
  return Add(std::move(expression));
}

ExprId GrammarSource::Separated(ExprId part, ExprId separator) {
  Expression expression;
  expression.kind = Kind::kSeparated;
  expression.parts = {part, separator};
  return Add(std::move(expression));
}

ExprId GrammarSource::Members(ExprId separator, const std::vector<ExprId>& members,
                              std::vector<bool> required) {
  Expression expression;
  expression.kind = Kind::kMembers;
  expression.parts = {separator};
  expression.parts.insert(expression.parts.end(), members.begin(), members.end());
  expression.required = std::move(required);
  return Add(std::move(expression));
}

ExprId GrammarSource::Rule(RuleId rule) {
  Expression expression;
  expression.kind = Kind::kRule;
  expression.rule = rule;
  return Add(std::move(expression));
}

ExprId GrammarSource::Dfa(std::shared_ptr<const ByteDfa> dfa, bool in_json_string) {
  Expression expression;
  expression.kind = in_json_string ? Kind::kJsonDfa : Kind::kDfa;
  expression.dfa = std::move(dfa);
  return Add(std::move(expression));
}

ExprId GrammarSource::Until(std::vector<std::string> texts, std::vector<ExprId> behind,
                            bool may_end) {
  Expression expression;
  expression.kind = Kind::kUntil;
  expression.texts = std::move(texts);
  expression.parts = std::move(behind);
  expression.may_end = may_end;
  return Add(std::move(expression));
}

RuleId GrammarSource::AddRule(std::string name) {
  rules_.push_back({std::move(name), Nothing()});
  return static_cast<RuleId>(rules_.size() - 1);
}

}  // namespace skerry::engine::internal
