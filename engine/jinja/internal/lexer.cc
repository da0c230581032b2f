#include "engine/jinja/internal/lexer.h"

#include <algorithm>
#include <charconv>

#include "engine/jinja/internal/unicode.h"

namespace skerry::engine::jinja {

namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Line ends become \n, and one at the end goes.
std::string NormalizeSource(std::string_view source) {
  std::string result;
  result.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      result.push_back('\n');
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      result.push_back(source[i]);
    }
  }
  if (result.ends_with('\n')) result.pop_back();
  return result;
}

class Lexer {
 public:
  Lexer(Arena& arena, std::string_view source)
      : arena_(arena), source_(arena.Copy(NormalizeSource(source))) {}

  Result<std::vector<Token>> Run() {
    while (at_ < source_.size()) TRY(LexData());
    Add(TokenKind::kEnd, {});
    return std::move(tokens_);
  }

 private:
  bool Has(std::string_view text, size_t at) const {
    return source_.substr(at, text.size()) == text;
  }

  Position PositionOf(size_t at) {
    for (; counted_ < at; ++counted_) {
      if (source_[counted_] == '\n') {
        ++line_;
        line_start_ = counted_ + 1;
      }
    }
    return {line_, static_cast<uint32_t>(at - line_start_ + 1)};
  }
  Error Fail(size_t at, std::string_view message) { return ErrorAt(PositionOf(at), message); }

  Token& Add(TokenKind kind, std::string_view text) {
    Token token;
    token.kind = kind;
    token.position = PositionOf(token_start_);
    token.text = text;
    tokens_.push_back(token);
    return tokens_.back();
  }

  size_t SkipSpace(size_t at) const {
    while (at < source_.size()) {
      uint32_t next = static_cast<uint32_t>(at);
      if (!IsSpace(DecodeChar(source_, &next))) break;
      at = next;
    }
    return at;
  }

  // Text before a tag, shortened as the tag's sign and lstrip_blocks want it.
  std::string_view StripBefore(std::string_view text, char sign, bool is_variable) const {
    if (sign == '-') return TrimSpaceRight(text);
    if (sign == '+' || is_variable) return text;
    const size_t line = text.rfind('\n') + 1;  // 0 where there is none
    if ((line > 0 || line_starting_) && TrimSpaceRight(text.substr(line)).empty()) {
      return text.substr(0, line);
    }
    return text;
  }

  // One stretch of data and the tag that ends it.
  Result<void> LexData() {
    size_t tag = at_;
    while (true) {
      tag = source_.find('{', tag);
      if (tag == std::string_view::npos || tag + 1 >= source_.size()) {
        token_start_ = at_;
        Add(TokenKind::kData, source_.substr(at_));
        at_ = source_.size();
        return {};
      }
      const char c = source_[tag + 1];
      if (c == '{' || c == '%' || c == '#') break;
      ++tag;
    }
    const char type = source_[tag + 1];
    size_t body = tag + 2;
    const char sign = body < source_.size() && (source_[body] == '-' || source_[body] == '+')
                          ? source_[body++]
                          : ' ';
    const std::string_view data = StripBefore(source_.substr(at_, tag - at_), sign, type == '{');
    token_start_ = at_;
    if (!data.empty()) Add(TokenKind::kData, data);
    token_start_ = tag;
    line_starting_ = false;
    if (type == '#') return LexComment(tag, body);
    if (type == '%') {
      if (const size_t raw = MatchRawTag(body, "raw", /*ends=*/false)) return LexRaw(tag, raw);
    }
    at_ = body;
    Add(type == '%' ? TokenKind::kBlockBegin : TokenKind::kVariableBegin, {});
    return LexTag(type == '%');
  }

  // Where the text after `%}` or `#}` begins.
  size_t AfterBlock(size_t close, char sign) {
    size_t end = close + 2;
    if (sign == '-') {
      end = SkipSpace(end);
    } else if (sign != '+' && end < source_.size() && source_[end] == '\n') {
      ++end;
    }
    line_starting_ = source_[end - 1] == '\n';
    return end;
  }

  Result<void> LexComment(size_t tag, size_t body) {
    const size_t close = source_.find("#}", body);
    if (close == std::string_view::npos) return Fail(tag, "the comment is never closed");
    const char sign = close > body ? source_[close - 1] : ' ';
    at_ = AfterBlock(close, sign);
    return {};
  }

  // Where the text after a `raw` or `endraw` tag begins, whose content begins at `at`; 0 if it is
  // another tag.
  size_t MatchRawTag(size_t at, std::string_view name, bool ends) {
    at = SkipSpace(at);
    if (!Has(name, at)) return 0;
    at = SkipSpace(at + name.size());
    char sign = ' ';
    if (at < source_.size() && (source_[at] == '-' || (ends && source_[at] == '+'))) {
      sign = source_[at++];
    }
    if (!Has("%}", at)) return 0;
    if (ends) return AfterBlock(at, sign);
    return sign == '-' ? SkipSpace(at + 2) : at + 2;  // no trimming after a plain `raw`
  }

  Result<void> LexRaw(size_t tag, size_t begin) {
    line_starting_ = source_[begin - 1] == '\n';
    for (size_t close = source_.find("{%", begin); close != std::string_view::npos;
         close = source_.find("{%", close + 1)) {
      size_t body = close + 2;
      const char sign = body < source_.size() && (source_[body] == '-' || source_[body] == '+')
                            ? source_[body++]
                            : ' ';
      const bool was_starting = line_starting_;
      const size_t after = MatchRawTag(body, "endraw", /*ends=*/true);
      if (after == 0) continue;
      const bool now_starting = line_starting_;
      line_starting_ = was_starting;
      const std::string_view data = StripBefore(source_.substr(begin, close - begin), sign, false);
      line_starting_ = now_starting;
      token_start_ = begin;
      if (!data.empty()) Add(TokenKind::kData, data);
      at_ = after;
      return {};
    }
    return Fail(tag, "the raw block is never closed");
  }

  Result<void> LexTag(bool is_block) {
    std::string open;  // brackets not yet closed
    while (at_ < source_.size()) {
      token_start_ = at_;
      if (open.empty() && CloseTag(is_block)) return {};
      if (const size_t after = SkipSpace(at_); after != at_) {
        at_ = after;
        continue;
      }
      const char c = source_[at_];
      if (IsDigit(c)) {
        TRY(LexNumber());
        continue;
      }
      if (c == '\'' || c == '"') {
        TRY(LexString(c));
        continue;
      }
      if (LexName()) continue;
      TRY(LexOperator(&open));
    }
    token_start_ = at_;
    return {};  // the parser says what is missing
  }

  bool CloseTag(bool is_block) {
    size_t close = at_;
    char sign = ' ';
    if (source_[close] == '-' || (is_block && source_[close] == '+')) sign = source_[close++];
    if (!Has(is_block ? "%}" : "}}", close)) return false;
    Add(is_block ? TokenKind::kBlockEnd : TokenKind::kVariableEnd, {});
    if (is_block) {
      at_ = AfterBlock(close, sign);
    } else {
      at_ = sign == '-' ? SkipSpace(close + 2) : close + 2;
      line_starting_ = source_[at_ - 1] == '\n';
    }
    return true;
  }

  // Digits with single underscores between them; appended to `digits` without these.
  size_t TakeDigits(size_t at, std::string* digits, int base) const {
    while (at < source_.size()) {
      const size_t digit = source_[at] == '_' && !digits->empty() ? at + 1 : at;
      if (digit >= source_.size()) break;
      const int value = HexValue(source_[digit]);
      if (value < 0 || value >= base) break;
      digits->push_back(source_[digit]);
      at = digit + 1;
    }
    return at;
  }

  Result<void> LexNumber() {
    if (LexFloat()) return {};
    std::string digits;
    int base = 10;
    size_t end = at_;
    if (source_[at_] == '0' && at_ + 1 < source_.size()) {
      const char kind = static_cast<char>(source_[at_ + 1] | 0x20);
      const int wanted = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
      if (wanted != 0) {
        digits = "0";
        end = TakeDigits(at_ + 2, &digits, wanted);
        base = digits.size() > 1 ? wanted : 10;
        if (digits.size() == 1) end = at_ + 1;
      }
    }
    if (base == 10 && end == at_) {
      if (source_[at_] == '0') {  // only zeros may follow
        digits = "0";
        end = TakeDigits(at_ + 1, &digits, 1);
      } else {
        end = TakeDigits(at_, &digits, 10);
      }
    }
    Token& token = Add(TokenKind::kInteger, source_.substr(at_, end - at_));
    const auto parsed =
        std::from_chars(digits.data(), digits.data() + digits.size(), token.integer, base);
    if (parsed.ec != std::errc()) return Fail(at_, "the integer does not fit in 64 bits");
    at_ = end;
    return {};
  }

  bool LexFloat() {
    if (at_ > 0 && source_[at_ - 1] == '.') return false;
    std::string digits;
    size_t end = TakeDigits(at_, &digits, 10);
    bool is_float = false;
    if (end + 1 < source_.size() && source_[end] == '.' && IsDigit(source_[end + 1])) {
      std::string fraction;
      end = TakeDigits(end + 1, &fraction, 10);
      digits += "." + fraction;
      is_float = true;
    }
    if (end < source_.size() && (source_[end] | 0x20) == 'e') {
      size_t from = end + 1;
      std::string exponent;
      const bool minus = from < source_.size() && source_[from] == '-';
      if (minus || (from < source_.size() && source_[from] == '+')) ++from;
      const size_t to = TakeDigits(from, &exponent, 10);
      if (!exponent.empty()) {
        digits += (minus ? "e-" : "e") + exponent;
        end = to;
        is_float = true;
      }
    }
    if (!is_float) return false;
    Token& token = Add(TokenKind::kFloat, source_.substr(at_, end - at_));
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), token.number);
    if (parsed.ec == std::errc::result_out_of_range) {
      const size_t e = digits.find("e-");
      token.number = e != std::string::npos ? 0.0 : __builtin_inf();
    }
    at_ = end;
    return true;
  }

  bool LexName() {
    uint32_t end = static_cast<uint32_t>(at_);
    while (end < source_.size()) {
      uint32_t next = end;
      const uint32_t c = DecodeChar(source_, &next);
      if (c != '_' && !IsAlnum(c)) break;
      end = next;
    }
    if (end == at_) return false;
    Add(TokenKind::kName, source_.substr(at_, end - at_));
    at_ = end;
    return true;
  }

  Result<void> LexString(char quote) {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) return Fail(at_, "the string is never closed");
    const std::string_view raw = source_.substr(at_ + 1, end - at_ - 1);
    if (raw.find('\\') == std::string_view::npos) {
      Add(TokenKind::kString, raw);
    } else {
      const std::string text = TRY(Unescape(raw));
      Add(TokenKind::kString, arena_.Copy(text));
    }
    at_ = end + 1;
    return {};
  }

  // Python's escapes, as its "unicode-escape" codec reads them.
  Result<std::string> Unescape(std::string_view raw) {
    std::string result;
    for (size_t i = 0; i < raw.size();) {
      const char c = raw[i++];
      if (c != '\\') {
        result.push_back(c);
        continue;
      }
      // The lexer never ends a string behind a lone backslash.
      const char kind = raw[i++];
      static constexpr std::string_view kFrom = "\\'\"abfnrtv";
      static constexpr std::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
      if (const size_t simple = kFrom.find(kind); simple != std::string_view::npos) {
        result.push_back(kTo[simple]);
      } else if (kind == 'x' || kind == 'u' || kind == 'U') {
        const size_t n = kind == 'x' ? 2 : kind == 'u' ? 4 : 8;
        uint32_t value = 0;
        for (size_t k = 0; k < n; ++k, ++i) {
          const int digit = i < raw.size() ? HexValue(raw[i]) : -1;
          if (digit < 0) return Fail(token_start_, "an escape in the string lacks digits");
          value = value << 4 | static_cast<uint32_t>(digit);
        }
        if (value > 0x10FFFF) return Fail(token_start_, "an escape names no character");
        if (value >= 0xD800 && value <= 0xDFFF) {
          return Fail(token_start_, "an escape names half of a surrogate pair");
        }
        result += EncodeChar(value);
      } else if (kind >= '0' && kind <= '7') {
        uint32_t value = static_cast<uint32_t>(kind - '0');
        for (int k = 0; k < 2 && i < raw.size() && raw[i] >= '0' && raw[i] <= '7'; ++k) {
          value = value * 8 + static_cast<uint32_t>(raw[i++] - '0');
        }
        result += EncodeChar(value);
      } else if (kind == 'N') {
        return Fail(token_start_, "escapes by character name (\\N) are not supported");
      } else if (kind != '\n') {  // a newline after a backslash is left out
        result.push_back('\\');
        result.push_back(kind);
      }
    }
    return result;
  }

  Result<void> LexOperator(std::string* open) {
    static constexpr std::pair<std::string_view, char> kDouble[] = {
        {"==", 'E'}, {"!=", 'N'}, {">=", 'G'}, {"<=", 'L'}, {"//", 'F'}, {"**", 'P'}};
    for (const auto& [text, op] : kDouble) {
      if (!Has(text, at_)) continue;
      Add(TokenKind::kOperator, text).op = op;
      at_ += 2;
      return {};
    }
    const char c = source_[at_];
    if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string_view::npos) {
      return Fail(at_, "unexpected character");
    }
    if (c == '(' || c == '[' || c == '{') open->push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    if (c == ')' || c == ']' || c == '}') {
      if (open->empty() || open->back() != c) {
        return Fail(at_, std::string("'") + c + "' closes nothing that is open");
      }
      open->pop_back();
    }
    Add(TokenKind::kOperator, source_.substr(at_, 1)).op = c;
    ++at_;
    return {};
  }

  Arena& arena_;
  std::string_view source_;
  size_t at_ = 0;
  size_t token_start_ = 0;
  bool line_starting_ = true;
  size_t counted_ = 0;  // positions are known up to here
  uint32_t line_ = 1;
  size_t line_start_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

Error ErrorAt(Position position, std::string_view message, ErrorCode code) {
  return Error(code, "line " + std::to_string(position.line) + ", column " +
                         std::to_string(position.column) + ": " + std::string(message));
}

Result<std::vector<Token>> Tokenize(Arena& arena, std::string_view source) {
  return Lexer(arena, source).Run();
}

}  // namespace skerry::engine::jinja
