// Blocks: {% ... %}.
#include <algorithm>

#include "engine/jinja/internal/builtins.h"
#include "engine/jinja/internal/parser.h"

namespace skerry::engine::jinja {

namespace {

// Saves a value and puts it back.
template <typename T>
class Restore {
 public:
  Restore(T& place, T value) : place_(place), old_(place) { place = value; }
  ~Restore() { place_ = old_; }
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;

 private:
  T& place_;
  T old_;
};

}  // namespace

Result<Block> Parser::ParseBody(EndNames ends) {
  const DepthGuard guard(*this);
  TRY(CheckDepth());
  std::vector<const Statement*> body;
  while (true) {
    const Token token = Peek();
    switch (token.kind) {
      case TokenKind::kData: {
        Statement* data = NewStatement(StatementKind::kData, token.position);
        data->data = TemplateText(token.text);
        body.push_back(data);
        Next();
        break;
      }
      case TokenKind::kVariableBegin: {
        Next();
        Statement* output = NewStatement(StatementKind::kOutput, token.position);
        output->expr = TRY(ParseTuple());
        TRY(Expect(TokenKind::kVariableEnd, "'}}'"));
        body.push_back(output);
        break;
      }
      case TokenKind::kBlockBegin: {
        Next();
        if (Peek().kind == TokenKind::kName &&
            std::find(ends.begin(), ends.end(), Peek().text) != ends.end()) {
          return Block(Keep(body));
        }
        const Statement* statement = TRY(ParseStatement());
        if (statement != nullptr) body.push_back(statement);
        TRY(Expect(TokenKind::kBlockEnd, "'%}'"));
        break;
      }
      default:
        if (ends.size() > 0) {
          return Unexpected("'{% " + std::string(*std::prev(ends.end())) + " %}'");
        }
        if (token.kind != TokenKind::kEnd) return Unexpected("text or a tag");
        return Block(Keep(body));
    }
  }
}

Result<Block> Parser::ParseClosedBody(std::string_view end) {
  TRY(Expect(TokenKind::kBlockEnd, "'%}'"));
  const Block body = TRY(ParseBody({end}));
  Next();
  return body;
}

Result<const Statement*> Parser::ParseStatement() {
  const Token token = Peek();
  if (token.kind != TokenKind::kName) return Unexpected("a tag's name");
  const std::string_view name = token.text;
  if (name == "if") return ParseIf();
  if (name == "for") return ParseFor();
  if (name == "set") return ParseSet();
  if (name == "macro") return ParseMacro();
  if (name == "call") return ParseCallBlock();
  if (name == "filter") return ParseFilterBlock();
  if (name == "with") return ParseWith();
  if (name == "print") return ParsePrint();
  if (name == "break" || name == "continue") {
    if (loops_ == 0) return ErrorAt(token.position, "'" + std::string(name) + "' outside a loop");
    Next();
    return NewStatement(name == "break" ? StatementKind::kBreak : StatementKind::kContinue,
                        token.position);
  }
  if (name == "generation") {  // marks what the model wrote, for training; only its body counts
    Next();
    const Restore<int> loops(loops_, 0);
    Statement* scope = NewStatement(StatementKind::kScope, token.position);
    scope->body = TRY(ParseClosedBody("endgeneration"));
    return scope;
  }
  for (const std::string_view refused :
       {"include", "import", "from", "extends", "block", "autoescape", "do", "trans"}) {
    if (name == refused) {
      return ErrorAt(token.position,
                     "'" + std::string(name) + "' is not supported in chat templates");
    }
  }
  return ErrorAt(token.position,
                 "unknown or misplaced tag '" + std::string(name.substr(0, 40)) + "'");
}

Result<const Statement*> Parser::ParseIf() {
  Statement* statement = NewStatement(StatementKind::kIf, Next().position);
  const Restore<bool> soft(soft_, true);
  std::vector<Branch> branches;
  while (true) {
    const Expr* condition = TRY(ParseTuple(/*with_cond=*/false));
    TRY(Expect(TokenKind::kBlockEnd, "'%}'"));
    const Block body = TRY(ParseBody({"elif", "else", "endif"}));
    branches.push_back({condition, body});
    const std::string_view end = Next().text;
    if (end == "elif") continue;
    if (end == "else") {
      const Block other = TRY(ParseClosedBody("endif"));
      branches.push_back({nullptr, other});
    }
    break;
  }
  statement->branches = Keep(branches);
  return statement;
}

Result<const Statement*> Parser::ParseFor() {
  Statement* loop = NewStatement(StatementKind::kFor, Next().position);
  loop->target = TRY(ParseTarget(/*with_namespace=*/false, "in"));
  if (!SkipName("in")) return Unexpected("'in'");
  loop->expr = TRY(ParseTuple(/*with_cond=*/false, /*parentheses=*/false, "recursive"));
  if (SkipName("if")) loop->test = TRY(ParseExpression());
  loop->recursive = SkipName("recursive");
  TRY(Expect(TokenKind::kBlockEnd, "'%}'"));
  const Restore<bool> soft(soft_, false);
  {
    const Restore<int> loops(loops_, loops_ + 1);
    loop->body = TRY(ParseBody({"else", "endfor"}));
  }
  if (Next().text == "else") loop->else_body = TRY(ParseClosedBody("endfor"));
  return loop;
}

Result<const Statement*> Parser::ParseSet() {
  const Position position = Next().position;
  const Expr* target = TRY(ParseTarget(/*with_namespace=*/true));
  if (SkipOp('=')) {
    Statement* set = NewStatement(StatementKind::kSet, position);
    set->target = target;
    set->expr = TRY(ParseTuple());
    return set;
  }
  Statement* set = NewStatement(StatementKind::kSetBlock, position);
  set->target = target;
  const Expr* filtered = NewExpr(ExprKind::kBody, position);
  while (SkipOp('|')) filtered = TRY(ParseFilter(filtered));
  set->expr = filtered;
  const Restore<bool> soft(soft_, false);
  const Restore<int> loops(loops_, 0);
  set->body = TRY(ParseClosedBody("endset"));
  return set;
}

Result<std::vector<Parameter>> Parser::ParseSignature() {
  std::vector<Parameter> parameters;
  TRY(ExpectOp(kOpenParen, "'('"));
  while (!AtOp(')')) {
    if (!parameters.empty()) TRY(ExpectOp(',', "','"));
    const Token name = TRY(ExpectName("a parameter's name"));
    Parameter parameter{names_.IdOf(name.text), TemplateText(name.text), nullptr};
    for (const Parameter& other : parameters) {
      if (other.id == parameter.id) return ErrorAt(name.position, "the parameter is there twice");
    }
    if (SkipOp('=')) {
      parameter.fallback = TRY(ParseExpression());
    } else if (!parameters.empty() && parameters.back().fallback != nullptr) {
      return ErrorAt(name.position, "a parameter without a default follows one with a default");
    }
    parameters.push_back(parameter);
  }
  TRY(ExpectOp(kCloseParen, "')'"));
  return parameters;
}

Result<MacroInfo*> Parser::ParseMacroBody(std::string_view end, std::vector<Parameter> parameters) {
  MacroInfo* info = arena_.New<MacroInfo>();
  info->parameters = Keep(parameters);
  const MacroUse outer = use_;
  use_ = {};
  {
    const Restore<bool> soft(soft_, false);
    const Restore<int> loops(loops_, 0);
    info->body = TRY(ParseClosedBody(end));
  }
  bool varargs = false;
  bool kwargs = false;
  for (const Parameter& parameter : parameters) {
    const std::string_view name = parameter.name->view();
    if (name == "caller") info->names_caller = true;
    varargs = varargs || name == "varargs";
    kwargs = kwargs || name == "kwargs";
  }
  info->uses_varargs = use_.varargs && !varargs;
  info->uses_kwargs = use_.kwargs && !kwargs;
  info->uses_caller = use_.caller || info->names_caller;
  use_ = {outer.varargs || use_.varargs, outer.kwargs || use_.kwargs, outer.caller || use_.caller};
  return info;
}

Result<const Statement*> Parser::ParseMacro() {
  Statement* macro = NewStatement(StatementKind::kMacro, Next().position);
  const Token name = TRY(ExpectName("the macro's name"));
  macro->name = names_.IdOf(name.text);
  const std::vector<Parameter> parameters = TRY(ParseSignature());
  MacroInfo* info = TRY(ParseMacroBody("endmacro", parameters));
  info->name = TemplateText(name.text);
  macro->macro = info;
  return macro;
}

Result<const Statement*> Parser::ParseCallBlock() {
  Statement* call = NewStatement(StatementKind::kCallBlock, Next().position);
  std::vector<Parameter> parameters;
  if (AtOp('(')) parameters = TRY(ParseSignature());
  call->expr = TRY(ParseExpression());
  if (call->expr->kind != ExprKind::kCall) {
    return ErrorAt(call->position, "a call block needs a call: {% call name(...) %}");
  }
  MacroInfo* info = TRY(ParseMacroBody("endcall", parameters));
  info->name = TemplateText("caller");
  call->macro = info;
  return call;
}

Result<const Statement*> Parser::ParseFilterBlock() {
  Statement* block = NewStatement(StatementKind::kFilterBlock, Next().position);
  const Expr* filtered = TRY(ParseFilter(NewExpr(ExprKind::kBody, block->position)));
  while (SkipOp('|')) filtered = TRY(ParseFilter(filtered));
  block->expr = filtered;
  const Restore<bool> soft(soft_, false);
  const Restore<int> loops(loops_, 0);
  block->body = TRY(ParseClosedBody("endfilter"));
  return block;
}

Result<const Statement*> Parser::ParseWith() {
  Statement* with = NewStatement(StatementKind::kWith, Next().position);
  std::vector<Assignment> assignments;
  while (Peek().kind != TokenKind::kBlockEnd) {
    if (!assignments.empty()) TRY(ExpectOp(',', "','"));
    const Expr* target = TRY(ParseTarget(/*with_namespace=*/false));
    TRY(ExpectOp('=', "'='"));
    const Expr* value = TRY(ParseExpression());
    assignments.push_back({target, value});
  }
  with->assignments = Keep(assignments);
  const Restore<bool> soft(soft_, false);
  with->body = TRY(ParseClosedBody("endwith"));
  return with;
}

Result<const Statement*> Parser::ParsePrint() {
  Statement* output = NewStatement(StatementKind::kOutput, Next().position);
  Expr* all = NewExpr(ExprKind::kConcat, output->position);
  std::vector<const Expr*> items;
  while (Peek().kind != TokenKind::kBlockEnd) {
    if (!items.empty()) TRY(ExpectOp(',', "','"));
    TRY(Take(ParseExpression(), &items));
  }
  all->items = Keep(items);
  output->expr = all;
  return output;
}

Result<const Expr*> Parser::ParseTargetItem(bool with_namespace) {
  const DepthGuard guard(*this);
  TRY(CheckDepth());
  const Token token = Peek();
  if (SkipOp('(')) {
    const Expr* inner = TRY(ParseTarget(with_namespace, {}));
    TRY(ExpectOp(kCloseParen, "')'"));
    return inner;
  }
  TRY(ExpectName("a name to assign to"));
  for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
    if (token.text == constant) {
      return ErrorAt(token.position, "cannot assign to '" + std::string(constant) + "'");
    }
  }
  Expr* target = NewExpr(ExprKind::kName, token.position);
  target->name = names_.IdOf(token.text);
  if (with_namespace && SkipOp('.')) {
    const Token attribute = TRY(ExpectName("an attribute's name"));
    target->kind = ExprKind::kNamespaceTarget;
    target->text = TemplateText(attribute.text);
  }
  return target;
}

Result<const Expr*> Parser::ParseTarget(bool with_namespace, std::string_view end_name) {
  const Position position = Peek().position;
  std::vector<const Expr*> items;
  TRY(Take(ParseTargetItem(with_namespace), &items));
  if (!AtOp(',')) return items[0];
  while (SkipOp(',')) {
    if (AtTupleEnd(end_name) || AtOp('=')) break;
    TRY(Take(ParseTargetItem(with_namespace), &items));
  }
  Expr* tuple = NewExpr(ExprKind::kTuple, position);
  tuple->items = Keep(items);
  return tuple;
}

}  // namespace skerry::engine::jinja
