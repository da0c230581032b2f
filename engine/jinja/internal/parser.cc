#include "engine/jinja/internal/parser.h"

#include <algorithm>

namespace skerry::engine::jinja {

NameId Names::IdOf(std::string_view name) {
  if (const auto found = ids_.find(name); found != ids_.end()) return found->second;
  names_.emplace_back(name);
  return ids_.emplace(name, static_cast<NameId>(names_.size() - 1)).first->second;
}

Result<Block> Parser::ParseTemplate() {
  const Block body = TRY(ParseBody({}));
  if (!unknown_.empty()) return unknown_.front();
  return body;
}

const Token& Parser::Peek(size_t ahead) const {
  return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
}

const Token& Parser::Next() {
  const Token& token = Peek();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool Parser::SkipOp(char op) {
  if (!AtOp(op)) return false;
  Next();
  return true;
}

bool Parser::SkipName(std::string_view name) {
  if (!AtName(name)) return false;
  Next();
  return true;
}

Result<void> Parser::ExpectOp(char op, std::string_view what) {
  if (!SkipOp(op)) return Unexpected(what);
  return {};
}

Result<Token> Parser::ExpectName(std::string_view what) {
  if (Peek().kind != TokenKind::kName) return Unexpected(what);
  const std::string_view name = Peek().text;
  if (name[0] >= '0' && name[0] <= '9') return Unexpected(what);
  return Next();
}

Result<void> Parser::Expect(TokenKind kind, std::string_view what) {
  if (Peek().kind != kind) return Unexpected(what);
  Next();
  return {};
}

Result<void> Parser::CheckDepth() const {
  if (depth_ <= kMaxParseDepth) return {};
  return ErrorAt(Peek().position,
                 "nested more than " + std::to_string(kMaxParseDepth) + " levels deep",
                 ErrorCode::kExhausted);
}

Error Parser::Unexpected(std::string_view wanted) const {
  const Token& token = Peek();
  std::string found;
  switch (token.kind) {
    case TokenKind::kEnd:
      found = "the end of the template";
      break;
    case TokenKind::kData:
      found = "text";
      break;
    case TokenKind::kBlockBegin:
      found = "'{%'";
      break;
    case TokenKind::kBlockEnd:
      found = "'%}'";
      break;
    case TokenKind::kVariableBegin:
      found = "'{{'";
      break;
    case TokenKind::kVariableEnd:
      found = "'}}'";
      break;
    case TokenKind::kString:
      found = "a string";
      break;
    default:
      found = "'" + std::string(token.text.substr(0, 40)) + "'";
      break;
  }
  return ErrorAt(token.position, std::string(wanted) + " expected, but here is " + found);
}

Expr* Parser::NewExpr(ExprKind kind, Position position) {
  Expr* expr = arena_.New<Expr>();
  expr->kind = kind;
  expr->position = position;
  return expr;
}

Statement* Parser::NewStatement(StatementKind kind, Position position) {
  Statement* statement = arena_.New<Statement>();
  statement->kind = kind;
  statement->position = position;
  return statement;
}

}  // namespace skerry::engine::jinja
