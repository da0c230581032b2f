// JSON as expressions. Spelled as models write it when they are brief: at most one space behind a
// comma, a colon or an opening bracket and before a closing one, none elsewhere, so that white
// space cannot go on for ever; for the same reason numbers have a bounded number of digits.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "engine/grammar/internal/expression.h"

namespace skerry::engine::internal {

// Objects keep the order of their members.
using OrderedJson = nlohmann::ordered_json;

struct NumberBounds {
  // Decimal texts as JSON has them.
  std::optional<std::string> least;
  std::optional<std::string> most;
  bool above_least = false;  // the bound itself is excluded
  bool below_most = false;

  bool Any() const { return least || most; }
};

class JsonValues {
 public:
  // Digits before the point, and behind it, of numbers that have no bound; of exponents, 2.
  static constexpr uint32_t kMaxDigits = 18;

  explicit JsonValues(GrammarSource& source) : source_(source) {}

  GrammarSource& source() { return source_; }

  ExprId Text(std::string_view text) { return source_.Text(text); }
  // `text` as a JSON string with its quotes.
  static std::string Quote(std::string_view text);

  // Strings, with quotes, by the number of their characters.
  ExprId String(uint32_t least, uint32_t most);
  ExprId StringOf(std::shared_ptr<const ByteDfa> dfa);
  ExprId Integer(const NumberBounds& bounds);
  ExprId Number(const NumberBounds& bounds);
  ExprId Boolean() { return source_.Literals({"true", "false"}); }
  // Exactly this value.
  ExprId Literal(const OrderedJson& value);

  ExprId Comma() { return Spaced(","); }
  ExprId Colon() { return Spaced(":"); }
  // '{' inside '}' with the optional spaces; an empty object is written without.
  ExprId Object(ExprId members, bool may_be_empty);
  ExprId Array(ExprId elements, bool may_be_empty);
  ExprId Member(ExprId key, ExprId value) { return source_.Sequence({key, Colon(), value}); }

  // Any value; any object; any array.
  ExprId AnyValue();
  ExprId AnyObject();
  ExprId AnyArray();

 private:
  ExprId Spaced(std::string_view text);
  ExprId Bracketed(char open, ExprId inside, char close, bool may_be_empty);
  ExprId StringChar();

  GrammarSource& source_;
  std::optional<RuleId> any_value_;
  std::optional<ExprId> string_char_;
};

}  // namespace skerry::engine::internal
