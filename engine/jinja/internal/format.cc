#include "engine/jinja/internal/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/jinja/internal/markup.h"

namespace skerry::engine::jinja {

namespace {

std::string Digits(uint64_t value, int base, bool upper) {
  const std::string_view symbols = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  const auto radix = static_cast<uint64_t>(base);
  std::string digits;
  do {
    digits.insert(digits.begin(), symbols[value % radix]);
    value /= radix;
  } while (value > 0);
  return digits;
}

std::string Group(const std::string& digits, char separator, size_t every) {
  std::string result;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % every == 0) result.push_back(separator);
    result.push_back(digits[i]);
  }
  return result;
}

// Sign, prefix and digits of a number.
struct Pieces {
  std::string sign, prefix, digits;
};

Pieces IntPieces(int64_t value, const FormatSpec& spec) {
  const uint64_t magnitude =
      value < 0 ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
  Pieces pieces;
  pieces.sign = value < 0 ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  const char type = spec.type;
  const int base = type == 'x' || type == 'X' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
  pieces.digits = Digits(magnitude, base, type == 'X');
  if (spec.alternate && base != 10) pieces.prefix = std::string("0") + type;
  if (spec.grouping != 0) pieces.digits = Group(pieces.digits, spec.grouping, base == 10 ? 3 : 4);
  return pieces;
}

Pieces FloatPieces(double value, const FormatSpec& spec) {
  Pieces pieces;
  pieces.sign = std::signbit(value) && !std::isnan(value) ? "-"
                : spec.sign == '-'                        ? ""
                                                          : std::string(1, spec.sign);
  const double magnitude = std::fabs(value);
  char type = spec.type;
  const bool percent = type == '%';
  int precision = spec.precision < 0 ? 6 : static_cast<int>(spec.precision);
  if (type == 0 && spec.precision < 0) {
    pieces.digits = FormatFloat(magnitude);
  } else {
    if (type == 0 || type == 'n') type = 'g';
    pieces.digits = FormatDouble(percent ? magnitude * 100 : magnitude, percent ? 'f' : type,
                                 precision, spec.alternate);
    // Without a type a float never looks like an integer.
    if (spec.type == 0 && pieces.digits.find_first_of(".en") == std::string::npos) {
      pieces.digits += ".0";
    }
  }
  if (spec.grouping != 0 && std::isfinite(value)) {
    const size_t point = std::min(pieces.digits.find_first_of(".e"), pieces.digits.size());
    pieces.digits =
        Group(pieces.digits.substr(0, point), spec.grouping, 3) + pieces.digits.substr(point);
  }
  if (percent) pieces.digits += "%";
  return pieces;
}

void Pad(TextBuilder* out, std::string_view fill, int64_t n, bool request) {
  for (int64_t i = 0; i < n; ++i) out->Append(fill, request);
}

// A field of `width` characters around `text`.
void PutField(TextBuilder* out, const Text& text, const FormatSpec& spec, char align,
              bool request) {
  const int64_t missing = std::max<int64_t>(0, spec.width - text.n_chars);
  const int64_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  const bool marked = request || text.request;
  Pad(out, spec.fill, left, marked);
  out->Append(text, 0, text.size, request);
  Pad(out, spec.fill, missing - left, marked);
}

void PutNumber(TextBuilder* out, const Pieces& pieces, const FormatSpec& spec, bool request) {
  const auto size =
      static_cast<int64_t>(pieces.sign.size() + pieces.prefix.size() + pieces.digits.size());
  const int64_t missing = std::max<int64_t>(0, spec.width - size);
  const char align = spec.align != 0 ? spec.align : spec.zero ? '=' : '>';
  const std::string fill = spec.zero && spec.align == 0 ? "0" : spec.fill;
  const int64_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  if (align != '=') Pad(out, fill, left, request);
  out->Append(pieces.sign + pieces.prefix, request);
  if (align == '=') Pad(out, fill, missing, request);
  out->Append(pieces.digits, request);
  if (align != '=') Pad(out, fill, missing - left, request);
}

const Text* Shorten(Interpreter& in, const Text* text, int64_t n_chars) {
  if (n_chars < 0 || n_chars >= text->n_chars) return text;
  return SliceText(in.arena(), text, 0, ByteOffset(*text, static_cast<uint32_t>(n_chars)));
}

bool ReadNumber(std::string_view text, size_t* at, int64_t limit, int64_t* number) {
  *number = 0;
  while (*at < text.size() && text[*at] >= '0' && text[*at] <= '9') {
    *number = *number * 10 + (text[(*at)++] - '0');
    if (*number > limit) return false;
  }
  return true;
}

// One "%" format while it runs.
class PercentFormatter {
 public:
  PercentFormatter(Interpreter& in, const Text& format, const Value& args)
      : in_(in), format_(format), args_(args), out_(in.arena()) {
    is_tuple_ = args.is_list(ListKind::kTuple);
    n_values_ = is_tuple_ ? args.list->n : 1;
  }

  Result<Value> Run() {
    const std::string_view view = format_.view();
    for (size_t at = 0; at < view.size();) {
      const size_t percent = std::min(view.find('%', at), view.size());
      out_.Append(format_, static_cast<uint32_t>(at), static_cast<uint32_t>(percent));
      if (percent == view.size()) break;
      at = percent + 1;
      TRY(Convert(view, percent, &at));
      TRY(in_.Step());
    }
    // A dict may hold more than is used, and so may a list (which maps its indices).
    if (used_ < n_values_ && (is_tuple_ || !(args_.is_dict() || args_.is(Kind::kList)))) {
      return in_.Fail("not all arguments converted during string formatting");
    }
    return Value::Of(WithMarkup(in_.arena(), out_.Finish(), format_.markup));
  }

 private:
  Result<Value> NextValue() {
    if (!is_tuple_ && used_ == 0) {
      ++used_;
      return args_;
    }
    if (!is_tuple_ || used_ >= n_values_) return in_.Fail("not enough arguments for format string");
    return args_.list->items[used_++];
  }

  Result<void> Convert(std::string_view view, size_t percent, size_t* at) {
    std::optional<Value> mapped;
    if (*at < view.size() && view[*at] == '(') {
      const size_t close = view.find(')', *at);
      if (close == std::string_view::npos) return in_.Fail("incomplete format key");
      if (!args_.is_dict()) return in_.Fail("format requires a mapping");
      const Value* found = Find(*args_.dict, view.substr(*at + 1, close - *at - 1));
      if (found == nullptr) return in_.Fail("a format key is not in the dict");
      mapped = *found;
      used_ = n_values_;
      *at = close + 1;
    }
    FormatSpec spec;
    for (; *at < view.size(); ++*at) {
      const char c = view[*at];
      if (c == '-')
        spec.align = '<';
      else if (c == '+')
        spec.sign = '+';
      else if (c == ' ' && spec.sign == '-')
        spec.sign = ' ';
      else if (c == '#')
        spec.alternate = true;
      else if (c == '0')
        spec.zero = true;
      else if (c != ' ')
        break;
    }
    bool fits = true;
    if (*at < view.size() && view[*at] == '*') return in_.Fail("'*' in formats is not supported");
    fits = ReadNumber(view, at, kMaxFormatWidth, &spec.width);
    if (*at < view.size() && view[*at] == '.') {
      ++*at;
      fits = fits && ReadNumber(view, at, kMaxFormatWidth, &spec.precision);
    }
    if (!fits) return in_.Fail("a width in the format string is too large");
    while (*at < view.size() && (view[*at] == 'l' || view[*at] == 'h' || view[*at] == 'L')) ++*at;
    if (*at >= view.size()) return in_.Fail("incomplete format");
    spec.type = view[(*at)++];
    bool request = false;
    for (size_t i = percent; i < *at; ++i) {
      request = request || format_.RequestAt(static_cast<uint32_t>(i));
    }
    if (spec.type == '%') {
      out_.Append("%", request);
      return {};
    }
    if (!mapped) mapped = TRY(NextValue());
    return Put(*mapped, spec, request);
  }

  Result<void> Put(const Value& value, FormatSpec spec, bool request) {
    if (spec.align == '<') spec.zero = false;
    switch (spec.type) {
      case 's':
      case 'r': {
        const Text* text = TRY(spec.type == 's' ? in_.ToText(value) : in_.Repr(value));
        text = Shorten(in_, text, spec.precision);
        TRY(in_.StepBytes(text->size + static_cast<uint64_t>(spec.width)));
        PutField(&out_, *text, spec, spec.align == '<' ? '<' : '>', request);
        return {};
      }
      case 'c': {
        if (value.is_text() && value.text->n_chars == 1) {
          PutField(&out_, *value.text, spec, spec.align == '<' ? '<' : '>', request);
          return {};
        }
        if (!value.is_integral() || value.AsInt() < 0 || value.AsInt() > 0x10FFFF) {
          return in_.Fail("%c requires int or char");
        }
        // A character made of a number is no text the template has.
        const Text* text = CopyText(in_.arena(), EncodeChar(static_cast<uint32_t>(value.AsInt())),
                                    /*request=*/true);
        PutField(&out_, *text, spec, spec.align == '<' ? '<' : '>', /*request=*/true);
        return {};
      }
      default:
        break;
    }
    if (value.is_undefined()) return in_.UndefinedError(value);
    if (!value.is_number()) {
      return in_.Fail("%" + std::string(1, spec.type) + " format: a number is required, not " +
                      std::string(TypeName(value)));
    }
    return PutAsNumber(value, spec, request || value.request);
  }

  Result<void> PutAsNumber(const Value& value, FormatSpec spec, bool request) {
    TRY(in_.StepBytes(static_cast<uint64_t>(spec.width)));
    if (std::string_view("eEfFgG").find(spec.type) != std::string_view::npos) {
      if (spec.precision > kMaxFormatPrecision) return in_.Fail("a precision is too large");
      const Pieces pieces = FloatPieces(value.AsDouble(), spec);
      if (!std::isfinite(value.AsDouble())) spec.zero = false;
      PutNumber(&out_, pieces, spec, request);
      return {};
    }
    if (std::string_view("diuxXo").find(spec.type) == std::string_view::npos) {
      return in_.Fail(std::string("unsupported format character '") + spec.type + "'");
    }
    int64_t number = 0;
    if (!value.is(Kind::kFloat)) {
      number = value.AsInt();
    } else if (spec.type != 'd' && spec.type != 'i' && spec.type != 'u') {
      return in_.Fail("an integer is required, not float");
    } else if (std::isfinite(value.number) && std::fabs(value.number) < 9.2e18) {
      number = static_cast<int64_t>(value.number);
    } else {
      return in_.Fail("cannot convert float to integer");
    }
    Pieces pieces = IntPieces(number, spec);
    if (spec.precision > static_cast<int64_t>(pieces.digits.size())) {
      pieces.digits.insert(0, static_cast<size_t>(spec.precision) - pieces.digits.size(), '0');
    }
    PutNumber(&out_, pieces, spec, request);
    return {};
  }

  Interpreter& in_;
  const Text& format_;
  const Value& args_;
  TextBuilder out_;
  bool is_tuple_ = false;
  size_t n_values_ = 0;
  size_t used_ = 0;
};

// [[fill]align][sign][#][0][width][grouping][.precision][type]
Result<FormatSpec> ParseSpec(Interpreter& in, std::string_view text) {
  FormatSpec spec;
  size_t at = 0;
  const auto is_align = [&](size_t i) {
    return i < text.size() && std::string_view("<>=^").find(text[i]) != std::string_view::npos;
  };
  const size_t fill = text.empty() ? 0 : CharBytes(text[0]);
  if (fill > 0 && is_align(fill)) {
    spec.fill = text.substr(0, fill);
    spec.align = text[fill];
    at = fill + 1;
  } else if (is_align(0)) {
    spec.align = text[at++];
  }
  const auto next = [&](std::string_view any) {
    return at < text.size() && any.find(text[at]) != std::string_view::npos ? text[at++] : '\0';
  };
  if (const char sign = next("+- ")) spec.sign = sign;
  spec.alternate = next("#") != 0;
  spec.zero = next("0") != 0;
  bool fits = ReadNumber(text, &at, kMaxFormatWidth, &spec.width);
  spec.grouping = next(",_");
  if (next(".") != 0) {
    const size_t from = at;
    fits = fits && ReadNumber(text, &at, kMaxFormatWidth, &spec.precision);
    if (at == from) return in.Fail("format specifier missing precision");
  }
  spec.type = next("bcdeEfFgGnosxX%");
  if (!fits) return in.Fail("a width in the format string is too large");
  if (at != text.size()) return in.Fail("invalid format specifier");
  return spec;
}

// One str.format while it runs.
class BraceFormatter {
 public:
  BraceFormatter(Interpreter& in, const Text& format, std::span<const Value> args,
                 std::span<const KeywordValue> kwargs)
      : in_(in), format_(format), args_(args), kwargs_(kwargs), out_(in.arena()) {}

  Result<Value> Run() {
    const std::string_view view = format_.view();
    uint32_t plain = 0;
    for (uint32_t at = 0; at < view.size();) {
      if (view[at] != '{' && view[at] != '}') {
        ++at;
        continue;
      }
      out_.Append(format_, plain, at);
      if (at + 1 < view.size() && view[at + 1] == view[at]) {
        out_.Append(format_, at, at + 1);
        at += 2;
      } else if (view[at] == '}') {
        return in_.Fail("single '}' encountered in format string");
      } else {
        TRY(Field(view, &at));
      }
      plain = at;
      TRY(in_.Step());
    }
    out_.Append(format_, plain, format_.size);
    return Value::Of(WithMarkup(in_.arena(), out_.Finish(), format_.markup));
  }

 private:
  Result<void> Field(std::string_view view, uint32_t* at) {
    const size_t close = view.find_first_of("{}", *at + 1);
    if (close == std::string_view::npos) return in_.Fail("expected '}' before end of string");
    if (view[close] == '{') return in_.Fail("nested fields in formats are not supported");
    std::string_view field = view.substr(*at + 1, close - *at - 1);
    bool request = false;
    for (size_t i = *at; i <= close; ++i) {
      request = request || format_.RequestAt(static_cast<uint32_t>(i));
    }
    *at = static_cast<uint32_t>(close + 1);
    std::string_view spec_text;
    if (const size_t colon = field.find(':'); colon != std::string_view::npos) {
      spec_text = field.substr(colon + 1);
      field = field.substr(0, colon);
    }
    char conversion = 0;
    if (const size_t mark = field.find('!'); mark != std::string_view::npos) {
      if (mark + 2 != field.size()) return in_.Fail("bad conversion in the format string");
      conversion = field[mark + 1];
      field = field.substr(0, mark);
    }
    Value value = TRY(Resolve(field));
    const FormatSpec spec = TRY(ParseSpec(in_, spec_text));
    if (conversion == 's' || conversion == 'r') {
      const Text* text = TRY(conversion == 's' ? in_.ToText(value) : in_.Repr(value));
      value = Value::Of(text);
    } else if (conversion != 0) {
      return in_.Fail("unknown conversion specifier in the format string");
    }
    return Put(value, spec, spec_text.empty(), request);
  }

  Result<Value> Resolve(std::string_view field) {
    const size_t end = std::min(field.find_first_of(".["), field.size());
    const std::string_view name = field.substr(0, end);
    std::string_view rest = field.substr(end);
    int64_t index = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), index);
    const bool number =
        !name.empty() && parsed.ec == std::errc() && parsed.ptr == name.data() + name.size();
    Value value = Value::Missing();
    if (name.empty() || number) {
      if (name.empty() ? numbered_ : automatic_) {
        return in_.Fail("cannot mix automatic and manual field numbering");
      }
      (name.empty() ? automatic_ : numbered_) = true;
      if (name.empty()) index = next_++;
      if (index >= 0 && index < static_cast<int64_t>(args_.size())) value = args_[index];
    } else {
      for (const KeywordValue& keyword : kwargs_) {
        if (keyword.name == name) value = keyword.value;
      }
    }
    if (value.missing()) return in_.Fail("the format string names an argument that is not there");
    while (!rest.empty()) {
      if (rest[0] == '.') {
        const size_t stop = std::min(rest.find_first_of(".[", 1), rest.size());
        value = TRY(in_.GetAttribute(value, rest.substr(1, stop - 1)));
        rest = rest.substr(stop);
      } else {
        const size_t close = rest.find(']');
        if (rest[0] != '[' || close == std::string_view::npos) return in_.Fail("bad format field");
        const std::string_view key = rest.substr(1, close - 1);
        const auto read = std::from_chars(key.data(), key.data() + key.size(), index);
        const bool is_index = read.ec == std::errc() && read.ptr == key.data() + key.size();
        value = TRY(in_.GetItem(value, is_index ? Value::Int(index) : in_.NewText(key)));
        rest = rest.substr(close + 1);
      }
    }
    return value;
  }

  Result<void> Put(const Value& value, const FormatSpec& spec, bool plain, bool request) {
    TRY(in_.StepBytes(static_cast<uint64_t>(spec.width)));
    if (value.is_undefined() && !plain) return in_.UndefinedError(value);
    if (value.is_text() || plain) {
      if (spec.type != 0 && spec.type != 's') return in_.Fail("unknown format code for a str");
      if (spec.sign != '-' || spec.alternate || spec.align == '=' || spec.grouping != 0) {
        return in_.Fail("sign, '#', '=' and ',' are not allowed in a str's format");
      }
      const Text* text = TRY(in_.ToText(value));
      if (format_.markup) text = EscapeUnlessMarkup(in_.arena(), text);
      text = Shorten(in_, text, spec.precision);
      TRY(in_.StepBytes(text->size));
      FormatSpec field = spec;
      if (spec.zero && spec.align == 0) field.fill = "0";
      PutField(&out_, *text, field, spec.align != 0 ? spec.align : '<', request);
      return {};
    }
    if (!value.is_number()) return in_.Fail("unsupported format string for this type");
    request = request || value.request;
    if (spec.type == 's') return in_.Fail("unknown format code 's' for a number");
    if (spec.precision > kMaxFormatPrecision) return in_.Fail("a precision is too large");
    const bool as_float =
        value.is(Kind::kFloat) ||
        (spec.type != 0 && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos);
    if (as_float) {
      if (spec.type != 0 && std::string_view("bcdoxX").find(spec.type) != std::string_view::npos) {
        return in_.Fail("unknown format code for a float");
      }
      PutNumber(&out_, FloatPieces(value.AsDouble(), spec), spec, request);
      return {};
    }
    if (spec.precision >= 0) return in_.Fail("precision not allowed in an integer's format");
    if (spec.type == 'c') {
      if (value.AsInt() < 0 || value.AsInt() > 0x10FFFF) return in_.Fail("%c arg not in range");
      const Text* text =
          CopyText(in_.arena(), EncodeChar(static_cast<uint32_t>(value.AsInt())), true);
      PutField(&out_, *text, spec, spec.align != 0 ? spec.align : '<', true);
      return {};
    }
    PutNumber(&out_, IntPieces(value.AsInt(), spec), spec, request);
    return {};
  }

  Interpreter& in_;
  const Text& format_;
  std::span<const Value> args_;
  std::span<const KeywordValue> kwargs_;
  TextBuilder out_;
  bool automatic_ = false;
  bool numbered_ = false;
  int64_t next_ = 0;
};

}  // namespace

std::string FormatDouble(double value, char type, int precision, bool alternate) {
  if (!std::isfinite(value)) {
    const bool upper = type == 'E' || type == 'F' || type == 'G';
    return std::isnan(value) ? (upper ? "NAN" : "nan") : upper ? "INF" : "inf";
  }
  std::string format = alternate ? "%#.*" : "%.*";
  format.push_back(type);
  // At most 310 digits before the point.
  std::string buffer(static_cast<size_t>(precision) + 330, '\0');
  const int n = std::snprintf(buffer.data(), buffer.size(), format.c_str(), precision, value);
  buffer.resize(static_cast<size_t>(std::max(n, 0)));
  return buffer;
}

Result<Value> FormatPercent(Interpreter& in, const Text& format, const Value& args) {
  return PercentFormatter(in, format, args).Run();
}

Result<Value> FormatBraces(Interpreter& in, const Text& format, std::span<const Value> args,
                           std::span<const KeywordValue> kwargs) {
  return BraceFormatter(in, format, args, kwargs).Run();
}

}  // namespace skerry::engine::jinja
