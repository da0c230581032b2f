// Expressions: what stands between {{ and }} and behind a tag's name.
#include <algorithm>

#include "engine/jinja/internal/builtins.h"
#include "engine/jinja/internal/parser.h"

namespace skerry::engine::jinja {

bool Parser::AtTupleEnd(std::string_view end_name) const {
  const Token& token = Peek();
  if (token.kind == TokenKind::kVariableEnd || token.kind == TokenKind::kBlockEnd || AtOp(')')) {
    return true;
  }
  return !end_name.empty() && AtName(end_name);
}

Result<const Expr*> Parser::ParseTuple(bool with_cond, bool parentheses,
                                       std::string_view end_name) {
  const Position position = Peek().position;
  std::vector<const Expr*> items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) TRY(ExpectOp(',', "','"));
    if (AtTupleEnd(end_name)) break;
    TRY(Take(ParseExpression(with_cond), &items));
    if (!AtOp(',')) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return items[0];
    if (!parentheses) return Unexpected("an expression");
  }
  Expr* tuple = NewExpr(ExprKind::kTuple, position);
  tuple->items = Keep(items);
  return tuple;
}

Result<const Expr*> Parser::ParseExpression(bool with_cond) {
  const DepthGuard guard(*this);
  TRY(CheckDepth());
  const bool was_soft = soft_;
  const size_t n_unknown = unknown_.size();
  const Expr* value = TRY(ParseOr());
  while (with_cond && AtName("if")) {
    Expr* cond = NewExpr(ExprKind::kCond, Next().position);
    unknown_.erase(unknown_.begin() + static_cast<std::ptrdiff_t>(n_unknown), unknown_.end());
    soft_ = true;
    cond->b = value;
    cond->a = TRY(ParseOr());
    if (SkipName("else")) cond->c = TRY(ParseExpression());
    soft_ = was_soft;
    value = cond;
  }
  return value;
}

Result<const Expr*> Parser::ParseOr() {
  const Expr* left = TRY(ParseAnd());
  while (AtName("or")) {
    Expr* expr = NewExpr(ExprKind::kOr, Next().position);
    expr->a = left;
    expr->b = TRY(ParseAnd());
    left = expr;
  }
  return left;
}

Result<const Expr*> Parser::ParseAnd() {
  const Expr* left = TRY(ParseNot());
  while (AtName("and")) {
    Expr* expr = NewExpr(ExprKind::kAnd, Next().position);
    expr->a = left;
    expr->b = TRY(ParseNot());
    left = expr;
  }
  return left;
}

Result<const Expr*> Parser::ParseNot() {
  if (!AtName("not")) return ParseCompare();
  const DepthGuard guard(*this);
  TRY(CheckDepth());
  Expr* expr = NewExpr(ExprKind::kNot, Next().position);
  expr->a = TRY(ParseNot());
  return expr;
}

Result<const Expr*> Parser::ParseCompare() {
  static constexpr std::pair<char, CompareOp> kOps[] = {
      {'E', CompareOp::kEq}, {'N', CompareOp::kNe}, {'<', CompareOp::kLt},
      {'L', CompareOp::kLe}, {'>', CompareOp::kGt}, {'G', CompareOp::kGe}};
  const Position position = Peek().position;
  const Expr* first = TRY(ParseSum());
  std::vector<Comparison> comparisons;
  while (true) {
    const Token& token = Peek();
    const auto* op = std::find_if(std::begin(kOps), std::end(kOps), [&](const auto& entry) {
      return token.kind == TokenKind::kOperator && entry.first == token.op;
    });
    Comparison comparison{CompareOp::kIn, nullptr};
    if (op != std::end(kOps)) {
      comparison.op = op->second;
      Next();
    } else if (AtName("in")) {
      Next();
    } else if (AtName("not") && Peek(1).kind == TokenKind::kName && Peek(1).text == "in") {
      comparison.op = CompareOp::kNotIn;
      Next();
      Next();
    } else {
      break;
    }
    comparison.right = TRY(ParseSum());
    comparisons.push_back(comparison);
  }
  if (comparisons.empty()) return first;
  Expr* expr = NewExpr(ExprKind::kCompare, position);
  expr->a = first;
  expr->comparisons = Keep(comparisons);
  return expr;
}

const Expr* Parser::Binary(BinaryOp op, const Expr* left, const Expr* right, Position position) {
  Expr* expr = NewExpr(ExprKind::kBinary, position);
  expr->op = op;
  expr->a = left;
  expr->b = right;
  return expr;
}

Result<const Expr*> Parser::ParseSum() {
  const Expr* left = TRY(ParseConcat());
  while (AtOp('+') || AtOp('-')) {
    const Token op = Next();
    const Expr* right = TRY(ParseConcat());
    left = Binary(op.op == '+' ? BinaryOp::kAdd : BinaryOp::kSub, left, right, op.position);
  }
  return left;
}

Result<const Expr*> Parser::ParseConcat() {
  const Expr* first = TRY(ParseProduct());
  if (!AtOp('~')) return first;
  Expr* expr = NewExpr(ExprKind::kConcat, Peek().position);
  std::vector<const Expr*> items{first};
  while (SkipOp('~')) {
    TRY(Take(ParseProduct(), &items));
  }
  expr->items = Keep(items);
  return expr;
}

Result<const Expr*> Parser::ParseProduct() {
  const Expr* left = TRY(ParsePower());
  while (AtOp('*') || AtOp('/') || AtOp('F') || AtOp('%')) {
    const Token op = Next();
    const Expr* right = TRY(ParsePower());
    const BinaryOp kind = op.op == '*'   ? BinaryOp::kMul
                          : op.op == '/' ? BinaryOp::kDiv
                          : op.op == 'F' ? BinaryOp::kFloorDiv
                                         : BinaryOp::kMod;
    left = Binary(kind, left, right, op.position);
  }
  return left;
}

Result<const Expr*> Parser::ParsePower() {
  const Expr* left = TRY(ParseUnary());
  while (AtOp('P')) {
    const Position position = Next().position;
    const Expr* right = TRY(ParseUnary());
    left = Binary(BinaryOp::kPow, left, right, position);
  }
  return left;
}

Result<const Expr*> Parser::ParseUnary(bool with_filter) {
  const DepthGuard guard(*this);
  TRY(CheckDepth());
  const Expr* expr = nullptr;
  if (AtOp('-') || AtOp('+')) {
    const Token sign = Next();
    Expr* unary =
        NewExpr(sign.op == '-' ? ExprKind::kNegative : ExprKind::kPositive, sign.position);
    unary->a = TRY(ParseUnary(/*with_filter=*/false));
    expr = unary;
  } else {
    expr = TRY(ParsePrimary());
  }
  expr = TRY(ParsePostfix(expr));
  return with_filter ? ParseFilters(expr) : expr;
}

Result<const Expr*> Parser::ParsePrimary() {
  const Token token = Peek();
  Expr* constant = NewExpr(ExprKind::kConst, token.position);
  switch (token.kind) {
    case TokenKind::kName: {
      const std::string_view name = token.text;
      Next();
      if (name == "true" || name == "True" || name == "false" || name == "False") {
        constant->value = Value::Bool(name[0] == 't' || name[0] == 'T');
      } else if (name != "none" && name != "None") {
        constant->kind = ExprKind::kName;
        constant->name = names_.IdOf(name);
        use_.varargs = use_.varargs || name == "varargs";
        use_.kwargs = use_.kwargs || name == "kwargs";
        use_.caller = use_.caller || name == "caller";
      }
      return constant;
    }
    case TokenKind::kString: {
      std::string joined(Next().text);
      while (Peek().kind == TokenKind::kString) joined += Next().text;
      constant->value = Value::Of(CopyText(arena_, joined, false));
      return constant;
    }
    case TokenKind::kInteger:
      constant->value = Value::Int(Next().integer);
      return constant;
    case TokenKind::kFloat:
      constant->value = Value::Float(Next().number);
      return constant;
    default:
      break;
  }
  if (AtOp('[')) return ParseListLiteral();
  if (AtOp('{')) return ParseDictLiteral();
  if (!SkipOp('(')) return Unexpected("an expression");
  const Expr* inner = TRY(ParseTuple(/*with_cond=*/true, /*parentheses=*/true));
  TRY(ExpectOp(kCloseParen, "')'"));
  return inner;
}

Result<const Expr*> Parser::ParseListLiteral() {
  Expr* list = NewExpr(ExprKind::kList, Next().position);
  std::vector<const Expr*> items;
  while (!AtOp(']')) {
    if (!items.empty()) TRY(ExpectOp(',', "','"));
    if (AtOp(']')) break;
    TRY(Take(ParseExpression(), &items));
  }
  Next();
  list->items = Keep(items);
  return list;
}

Result<const Expr*> Parser::ParseDictLiteral() {
  Expr* dict = NewExpr(ExprKind::kDict, Next().position);
  std::vector<const Expr*> items;
  while (!AtOp('}')) {
    if (!items.empty()) TRY(ExpectOp(',', "','"));
    if (AtOp('}')) break;
    TRY(Take(ParseExpression(), &items));
    TRY(ExpectOp(':', "':'"));
    TRY(Take(ParseExpression(), &items));
  }
  Next();
  dict->items = Keep(items);
  return dict;
}

Result<const Expr*> Parser::ParsePostfix(const Expr* expr) {
  while (true) {
    if (AtOp('.') || AtOp('[')) {
      expr = TRY(ParseSubscript(expr));
    } else if (AtOp('(')) {
      expr = TRY(ParseCall(expr));
    } else {
      return expr;
    }
  }
}

Result<const Expr*> Parser::ParseFilters(const Expr* expr) {
  while (true) {
    if (SkipOp('|')) {
      expr = TRY(ParseFilter(expr));
    } else if (AtName("is")) {
      expr = TRY(ParseTest(expr));
    } else if (AtOp('(')) {
      expr = TRY(ParseCall(expr));
    } else {
      return expr;
    }
  }
}

Result<const Expr*> Parser::ParseSubscript(const Expr* object) {
  const Token open = Next();
  if (open.op == '.') {
    Expr* expr = NewExpr(ExprKind::kGetattr, open.position);
    expr->a = object;
    const Token token = Peek();
    if (token.kind == TokenKind::kInteger) {
      Next();
      expr->kind = ExprKind::kGetitem;
      Expr* index = NewExpr(ExprKind::kConst, token.position);
      index->value = Value::Int(token.integer);
      expr->b = index;
      return expr;
    }
    const Token name = TRY(ExpectName("an attribute's name"));
    expr->text = TemplateText(name.text);
    return expr;
  }
  const Expr* result = TRY(ParseSubscribed(object, open.position));
  if (AtOp(',')) {  // x[a, b] is a subscript by a tuple, which only a dict has
    if (result->kind != ExprKind::kGetitem) {
      return ErrorAt(open.position, "slices of several dimensions are not supported");
    }
    std::vector<const Expr*> items{result->b};
    while (SkipOp(',')) {
      if (AtOp(']')) break;
      TRY(Take(ParseExpression(), &items));
    }
    Expr* tuple = NewExpr(ExprKind::kTuple, open.position);
    tuple->items = Keep(items);
    Expr* expr = NewExpr(ExprKind::kGetitem, open.position);
    expr->a = object;
    expr->b = tuple;
    result = expr;
  }
  TRY(ExpectOp(']', "']'"));
  return result;
}

Result<const Expr*> Parser::ParseSubscribed(const Expr* object, Position position) {
  Expr* expr = NewExpr(ExprKind::kSlice, position);
  expr->a = object;
  if (AtOp(']')) return Unexpected("a subscript");
  if (!AtOp(':')) {
    expr->b = TRY(ParseExpression());
    if (!AtOp(':')) {
      expr->kind = ExprKind::kGetitem;
      return expr;
    }
  }
  Next();
  if (!AtOp(':') && !AtOp(']') && !AtOp(',')) expr->c = TRY(ParseExpression());
  if (SkipOp(':') && !AtOp(']') && !AtOp(',')) expr->d = TRY(ParseExpression());
  return expr;
}

Result<const CallArgs*> Parser::ParseCallArgs() {
  const Position open = Next().position;
  const Error invalid = ErrorAt(open, "the arguments of this call are out of order");
  CallArgs* call = arena_.New<CallArgs>();
  std::vector<const Expr*> args;
  std::vector<Keyword> kwargs;
  bool first = true;
  while (!AtOp(')')) {
    if (!first) TRY(ExpectOp(',', "','"));
    if (!first && AtOp(')')) break;
    first = false;
    if (SkipOp('*')) {
      if (call->dyn_args != nullptr || call->dyn_kwargs != nullptr) return invalid;
      call->dyn_args = TRY(ParseExpression());
    } else if (SkipOp('P')) {
      if (call->dyn_kwargs != nullptr) return invalid;
      call->dyn_kwargs = TRY(ParseExpression());
    } else if (Peek().kind == TokenKind::kName && Peek(1).kind == TokenKind::kOperator &&
               Peek(1).op == '=') {
      if (call->dyn_kwargs != nullptr) return invalid;
      const Text* name = TemplateText(Next().text);
      for (const Keyword& other : kwargs) {
        if (other.name->view() == name->view()) return invalid;
      }
      Next();
      const Expr* value = TRY(ParseExpression());
      kwargs.push_back({name, value});
    } else {
      if (call->dyn_args != nullptr || call->dyn_kwargs != nullptr || !kwargs.empty()) {
        return invalid;
      }
      TRY(Take(ParseExpression(), &args));
    }
  }
  Next();
  call->args = Keep(args);
  call->kwargs = Keep(kwargs);
  return call;
}

Result<const Expr*> Parser::ParseCall(const Expr* callee) {
  Expr* expr = NewExpr(ExprKind::kCall, Peek().position);
  expr->a = callee;
  expr->call = TRY(ParseCallArgs());
  return expr;
}

Result<const Expr*> Parser::ParseFilter(const Expr* subject) {
  const Token name = TRY(ExpectName("a filter's name"));
  Expr* expr = NewExpr(ExprKind::kFilter, name.position);
  expr->a = subject;
  expr->text = TemplateText(name.text);
  expr->builtin = FindFilter(name.text);
  if (expr->builtin == nullptr && !soft_) {
    unknown_.push_back(
        ErrorAt(name.position, "no filter is named '" + std::string(name.text) + "'"));
  }
  if (!AtOp('(')) {
    expr->call = arena_.New<CallArgs>();
    return expr;
  }
  expr->call = TRY(ParseCallArgs());
  return expr;
}

Result<const Expr*> Parser::ParseTest(const Expr* subject) {
  const Position position = Next().position;
  const bool negated = SkipName("not");
  const Token name = TRY(ExpectName("a test's name"));
  Expr* expr = NewExpr(ExprKind::kTest, position);
  expr->a = subject;
  expr->text = TemplateText(name.text);
  expr->builtin = FindTest(name.text);
  if (expr->builtin == nullptr && !soft_) {
    unknown_.push_back(ErrorAt(name.position, "no test is named '" + std::string(name.text) + "'"));
  }
  const TokenKind kind = Peek().kind;
  if (AtOp('(')) {
    expr->call = TRY(ParseCallArgs());
  } else if ((kind == TokenKind::kName || kind == TokenKind::kString ||
              kind == TokenKind::kInteger || kind == TokenKind::kFloat || AtOp('[') || AtOp('{')) &&
             !AtName("else") && !AtName("or") && !AtName("and")) {
    if (AtName("is")) return ErrorAt(Peek().position, "tests cannot be chained with 'is'");
    const Expr* primary = TRY(ParsePrimary());
    const Expr* argument = TRY(ParsePostfix(primary));
    CallArgs* call = arena_.New<CallArgs>();
    call->args = Keep(std::vector<const Expr*>{argument});
    expr->call = call;
  } else {
    expr->call = arena_.New<CallArgs>();
  }
  if (!negated) return expr;
  Expr* inverse = NewExpr(ExprKind::kNot, position);
  inverse->a = expr;
  return inverse;
}

}  // namespace skerry::engine::jinja
