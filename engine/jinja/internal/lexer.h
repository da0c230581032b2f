// Template source to tokens, with jinja2's rules for white space around tags as chat templates set
// them: trim_blocks and lstrip_blocks on, one trailing newline dropped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/jinja/internal/ast.h"

namespace skerry::engine::jinja {

enum class TokenKind : uint8_t {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  // The character, or for two characters: 'E' ==, 'N' !=, 'G' >=, 'L' <=, 'F' //, 'P' **.
  char op = 0;
  Position position;
  std::string_view text;  // data, names, unescaped strings
  int64_t integer = 0;
  double number = 0;
};

// "line 3, column 7: MESSAGE"
Error ErrorAt(Position position, std::string_view message, ErrorCode code = ErrorCode::kCorrupt);

// `source` is valid UTF-8. The tokens point into `arena`. Error kCorrupt with the place.
Result<std::vector<Token>> Tokenize(Arena& arena, std::string_view source);

}  // namespace skerry::engine::jinja
