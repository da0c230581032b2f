#include "engine/grammar/internal/json_values.h"

#include <vector>

#include "engine/grammar/internal/number_ranges.h"

namespace skerry::engine::internal {

std::string JsonValues::Quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<uint8_t>(c) < 0x20) {
          constexpr char kHex[] = "0123456789abcdef";
          out += {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

// One character; escapes as RFC 8259 has them, halves of surrogate pairs only together.
ExprId JsonValues::StringChar() {
  if (string_char_) return *string_char_;
  const auto chars = [&](std::vector<CharSet::Range> ranges) {
    return source_.Chars(CharSet(std::move(ranges)));
  };
  const ExprId hex = chars({{'0', '9'}, {'A', 'F'}, {'a', 'f'}});
  const ExprId two_hex = source_.Sequence({hex, hex});
  const ExprId d = chars({{'D', 'D'}, {'d', 'd'}});
  const ExprId not_d = chars({{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}});
  const ExprId high = source_.Sequence({d, chars({{'8', '9'}, {'A', 'B'}, {'a', 'b'}}), two_hex});
  const ExprId low = source_.Sequence({d, chars({{'C', 'F'}, {'c', 'f'}}), two_hex});
  const ExprId units = source_.Choice({source_.Sequence({not_d, hex, two_hex}),
                                       source_.Sequence({d, chars({{'0', '7'}}), two_hex}),
                                       source_.Sequence({high, Text("\\u"), low})});
  const ExprId escape =
      source_.Choice({source_.Literals({"\"", "\\", "/", "b", "f", "n", "r", "t"}),
                      source_.Sequence({Text("u"), units})});
  const CharSet plain({{0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, 0x10FFFF}});
  string_char_ = source_.Choice({source_.Chars(plain), source_.Sequence({Text("\\"), escape})});
  return *string_char_;
}

ExprId JsonValues::String(uint32_t least, uint32_t most) {
  const ExprId chars = source_.Repeat(StringChar(), least, most);
  return source_.Sequence({Text("\""), chars, Text("\"")});
}

ExprId JsonValues::StringOf(std::shared_ptr<const ByteDfa> dfa) {
  const ExprId chars = source_.Dfa(std::move(dfa), /*in_json_string=*/true);
  return source_.Sequence({Text("\""), chars, Text("\"")});
}

ExprId JsonValues::Integer(const NumberBounds& bounds) { return IntegerRange(source_, bounds); }

ExprId JsonValues::Number(const NumberBounds& bounds) {
  if (bounds.Any()) return DecimalRange(source_, bounds);
  const ExprId digit = source_.Chars({'0', '9'});
  const ExprId fraction = source_.Sequence({Text("."), source_.Repeat(digit, 1, kMaxDigits)});
  const ExprId exponent = source_.Sequence(
      {source_.Literals({"e", "E", "e+", "E+", "e-", "E-"}), source_.Repeat(digit, 1, 2)});
  const ExprId whole = source_.Choice(
      {Text("0"),
       source_.Sequence({source_.Chars({'1', '9'}), source_.Repeat(digit, 0, kMaxDigits - 1)})});
  return source_.Sequence(
      {source_.Optional(Text("-")), whole, source_.Optional(fraction), source_.Optional(exponent)});
}

ExprId JsonValues::Literal(const OrderedJson& value) {
  if (value.is_string()) return Text(Quote(value.get_ref<const std::string&>()));
  if (!value.is_structured()) return Text(value.dump());
  std::vector<ExprId> parts;
  for (auto it = value.begin(); it != value.end(); ++it) {
    if (!parts.empty()) parts.push_back(Comma());
    const ExprId part = Literal(*it);
    parts.push_back(value.is_object() ? Member(Text(Quote(it.key())), part) : part);
  }
  const ExprId inside = source_.Sequence(std::move(parts));
  if (value.empty()) return Text(value.is_object() ? "{}" : "[]");
  return value.is_object() ? Object(inside, false) : Array(inside, false);
}

ExprId JsonValues::Spaced(std::string_view text) {
  return source_.Sequence({Text(text), source_.Optional(Text(" "))});
}

ExprId JsonValues::Bracketed(char open, ExprId inside, char close, bool may_be_empty) {
  const ExprId space = source_.Optional(Text(" "));
  const ExprId filled = source_.Sequence({space, inside, space});
  return source_.Sequence(
      {Text({&open, 1}), may_be_empty ? source_.Optional(filled) : filled, Text({&close, 1})});
}

ExprId JsonValues::Object(ExprId members, bool may_be_empty) {
  return Bracketed('{', members, '}', may_be_empty);
}

ExprId JsonValues::Array(ExprId elements, bool may_be_empty) {
  return Bracketed('[', elements, ']', may_be_empty);
}

ExprId JsonValues::AnyValue() {
  if (!any_value_) {
    any_value_ = source_.AddRule("any JSON value");
    const ExprId value = source_.Choice(
        {AnyObject(), AnyArray(), String(0, kUnbounded), Number({}), Boolean(), Text("null")});
    source_.SetRule(*any_value_, value);
  }
  return source_.Rule(*any_value_);
}

ExprId JsonValues::AnyObject() {
  const ExprId member = Member(String(0, kUnbounded), AnyValue());
  return Object(source_.Separated(member, Comma()), /*may_be_empty=*/true);
}

ExprId JsonValues::AnyArray() {
  return Array(source_.Separated(AnyValue(), Comma()), /*may_be_empty=*/true);
}

}  // namespace skerry::engine::internal
