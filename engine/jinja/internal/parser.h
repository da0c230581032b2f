// Tokens to statements and expressions, by jinja2's grammar.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/jinja/internal/lexer.h"

namespace skerry::engine::jinja {

// Names a template reads or sets, numbered.
class Names {
 public:
  NameId IdOf(std::string_view name);
  std::string_view NameOf(NameId id) const { return names_[id]; }
  size_t size() const { return names_.size(); }

 private:
  std::map<std::string, NameId, std::less<>> ids_;
  std::vector<std::string> names_;
};

inline constexpr char kOpenParen = '(';
inline constexpr char kCloseParen = ')';

// Deepest nesting of brackets and blocks.
inline constexpr int kMaxParseDepth = 120;

class Parser {
 public:
  Parser(Arena& arena, Names& names, std::vector<Token> tokens)
      : arena_(arena), names_(names), tokens_(std::move(tokens)) {}

  // Error kCorrupt, kExhausted for nesting; "line L, column C: ...".
  Result<Block> ParseTemplate();

 private:
  struct DepthGuard {
    explicit DepthGuard(Parser& p) : parser(p) { ++parser.depth_; }
    ~DepthGuard() { --parser.depth_; }
    Parser& parser;
  };
  // What is being read inside a macro's body, to know which extra arguments it takes.
  struct MacroUse {
    bool varargs = false;
    bool kwargs = false;
    bool caller = false;
  };
  using EndNames = std::initializer_list<std::string_view>;

  // parser.cc
  const Token& Peek(size_t ahead = 0) const;
  const Token& Next();
  bool AtOp(char op) const { return Peek().kind == TokenKind::kOperator && Peek().op == op; }
  bool AtName(std::string_view name) const {
    return Peek().kind == TokenKind::kName && Peek().text == name;
  }
  bool SkipOp(char op);
  bool SkipName(std::string_view name);
  Result<void> ExpectOp(char op, std::string_view what);
  Result<Token> ExpectName(std::string_view what);
  Result<void> Expect(TokenKind kind, std::string_view what);
  Result<void> CheckDepth() const;
  Error Unexpected(std::string_view wanted) const;
  Expr* NewExpr(ExprKind kind, Position position);
  Statement* NewStatement(StatementKind kind, Position position);
  const Text* TemplateText(std::string_view text) { return ViewText(arena_, text, false); }
  // For TRY(Take(ParseExpression(), &items)).
  static Result<void> Take(Result<const Expr*> item, std::vector<const Expr*>* items) {
    const Expr* expr = TRY(std::move(item));
    items->push_back(expr);
    return {};
  }
  template <typename T>
  std::span<const T> Keep(const std::vector<T>& items) {
    T* kept = arena_.NewArray<T>(items.size());
    std::copy(items.begin(), items.end(), kept);
    return {kept, items.size()};
  }

  // parse_statements.cc
  // Up to a block that begins with one of `ends`, which is left current (behind `{%`).
  Result<Block> ParseBody(EndNames ends);
  // The same, and takes the rest of the end tag's name; the `%}` is left.
  Result<Block> ParseClosedBody(std::string_view end);
  Result<const Statement*> ParseStatement();
  Result<const Statement*> ParseIf();
  Result<const Statement*> ParseFor();
  Result<const Statement*> ParseSet();
  Result<const Statement*> ParseMacro();
  Result<const Statement*> ParseCallBlock();
  Result<const Statement*> ParseFilterBlock();
  Result<const Statement*> ParseWith();
  Result<const Statement*> ParsePrint();
  Result<std::vector<Parameter>> ParseSignature();
  Result<MacroInfo*> ParseMacroBody(std::string_view end, std::vector<Parameter> parameters);
  Result<const Expr*> ParseTarget(bool with_namespace, std::string_view end_name = {});
  Result<const Expr*> ParseTargetItem(bool with_namespace);

  // parse_expressions.cc
  Result<const Expr*> ParseTuple(bool with_cond = true, bool parentheses = false,
                                 std::string_view end_name = {});
  bool AtTupleEnd(std::string_view end_name) const;
  Result<const Expr*> ParseExpression(bool with_cond = true);
  Result<const Expr*> ParseOr();
  Result<const Expr*> ParseAnd();
  Result<const Expr*> ParseNot();
  Result<const Expr*> ParseCompare();
  Result<const Expr*> ParseSum();
  Result<const Expr*> ParseConcat();
  Result<const Expr*> ParseProduct();
  Result<const Expr*> ParsePower();
  Result<const Expr*> ParseUnary(bool with_filter = true);
  Result<const Expr*> ParsePrimary();
  Result<const Expr*> ParseListLiteral();
  Result<const Expr*> ParseDictLiteral();
  Result<const Expr*> ParsePostfix(const Expr* expr);
  Result<const Expr*> ParseFilters(const Expr* expr);
  Result<const Expr*> ParseSubscript(const Expr* expr);
  Result<const Expr*> ParseSubscribed(const Expr* object, Position position);
  Result<const CallArgs*> ParseCallArgs();
  Result<const Expr*> ParseCall(const Expr* callee);
  // Behind `|`, or where a filter block names its first one.
  Result<const Expr*> ParseFilter(const Expr* subject);
  Result<const Expr*> ParseTest(const Expr* subject);
  const Expr* Binary(BinaryOp op, const Expr* left, const Expr* right, Position position);

  Arena& arena_;
  Names& names_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  int loops_ = 0;      // around what is being read, for break and continue
  bool soft_ = false;  // in a branch: an unknown filter there only fails where it is reached
  std::vector<Error> unknown_;  // filters and tests outside branches that do not exist
  MacroUse use_;
};

}  // namespace skerry::engine::jinja
