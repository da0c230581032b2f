// Filters that make text or numbers of one value.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/jinja/internal/format.h"
#include "engine/jinja/internal/markup.h"
#include "engine/jinja/internal/text_tools.h"

namespace skerry::engine::jinja {

namespace {

Result<Value> Trim(Interpreter& in, Call& call) {
  const Text* text = TRY(in.ToText(call.self));
  const Text* chars = call.arg[0].is_text() ? call.arg[0].text : nullptr;
  TRY(in.StepBytes(text->size));
  return Strip(in, *text, chars, true, true);
}

template <Case wanted>
Result<Value> CaseFilter(Interpreter& in, Call& call) {
  const Text* text = TRY(in.ToText(call.self));
  TRY(in.StepBytes(text->size * uint64_t{8}));
  return CaseOf(in, *text, wanted);
}

Result<Value> CapitalizeFilter(Interpreter& in, Call& call) {
  const Text* text = TRY(in.ToText(call.self));
  TRY(in.StepBytes(text->size * uint64_t{8}));
  return Capitalize(in, *text);
}

// jinja2's own: a word begins behind white space or one of - ( { [ <.
Result<Value> Title(Interpreter& in, Call& call) {
  const Text* text = TRY(in.ToText(call.self));
  TRY(in.StepBytes(text->size * uint64_t{8}));
  TextBuilder out(in.arena());
  bool begins = true;
  for (uint32_t at = 0; at < text->size;) {
    uint32_t next = at;
    const uint32_t c = DecodeChar(text->view(), &next);
    const bool separates =
        IsSpace(c) || (c < 0x80 && std::string_view("-({[<").find(static_cast<char>(c)) !=
                                       std::string_view::npos);
    at = AppendCased(&out, *text, at, begins && !separates ? Case::kUpper : Case::kLower);
    begins = separates;
  }
  return Value::Of(static_cast<const Text*>(out.Finish()));
}

Result<Value> ReplaceFilter(Interpreter& in, Call& call) {
  const Text* text = TRY(in.ToText(call.self));
  const Text* old = TRY(in.ToText(call.arg[0]));
  const Text* fresh = TRY(in.ToText(call.arg[1]));
  int64_t count = -1;
  if (call.arg[2].is_integral()) count = call.arg[2].AsInt();
  return Replace(in, *WithMarkup(in.arena(), text, false), *old, *fresh, count);
}

Result<Value> String(Interpreter& in, Call& call) {
  const Text* text = TRY(in.ToText(call.self));
  return Value::Of(text);
}

Result<Value> Safe(Interpreter& in, Call& call) {
  const Text* text = TRY(in.ToText(call.self));
  return Value::Of(WithMarkup(in.arena(), text, true));
}

Result<Value> Escape(Interpreter& in, Call& call) {
  const Text* text = TRY(in.ToText(call.self));
  TRY(in.StepBytes(text->size));
  return Value::Of(EscapeUnlessMarkup(in.arena(), text));
}

Result<Value> ForceEscape(Interpreter& in, Call& call) {
  const Text* text = TRY(in.ToText(call.self));
  TRY(in.StepBytes(text->size));
  return Value::Of(EscapeText(in.arena(), text));
}

// indent(width=4, first=False, blank=False)
Result<Value> Indent(Interpreter& in, Call& call) {
  if (!call.self.is_text()) return in.Fail("indent needs a string");
  const Text& text = *call.self.text;
  const Text* unit = nullptr;
  if (call.arg[0].is_text()) {
    unit = call.arg[0].text;
  } else {
    const int64_t width = call.arg[0].missing() ? 4 : call.arg[0].AsInt();
    if (width > 4096) return in.Fail("indent: the width is too large");
    unit = CopyText(in.arena(), std::string(static_cast<size_t>(std::max<int64_t>(0, width)), ' '),
                    false);
  }
  const bool first = !call.arg[1].missing() && Truth(call.arg[1]);
  const bool blank = !call.arg[2].missing() && Truth(call.arg[2]);
  const Value split = TRY(SplitLines(in, text, /*keep_ends=*/false));
  std::vector<Value> lines(split.list->items, split.list->items + split.list->n);
  // jinja2 puts a line end behind the text first, so that the last line counts even if empty.
  const bool ends_open = text.size == 0 || lines.empty() ||
                         lines.back().text->data + lines.back().text->size != text.data + text.size;
  if (ends_open) lines.push_back(in.NewText(""));
  TextBuilder out(in.arena());
  for (size_t i = 0; i < lines.size(); ++i) {
    const Text& line = *lines[i].text;
    TRY(in.StepBytes(line.size + unit->size));
    if (i > 0) out.Append("\n", text.request);
    const bool indents = i == 0 ? first : blank || line.size > 0;
    if (indents) out.Append(*unit, 0, unit->size, text.request);
    out.Append(line);
  }
  return Value::Of(WithMarkup(in.arena(), out.Finish(), text.markup));
}

Result<Value> Center(Interpreter& in, Call& call) {
  const Text* text = TRY(in.ToText(call.self));
  const int64_t width = call.arg[0].is_integral() ? call.arg[0].AsInt() : 80;
  return AlignText(in, *text, width, *ViewText(in.arena(), " ", false), '^');
}

Result<Value> FormatFilter(Interpreter& in, Call& call) {
  const Text* format = TRY(in.ToText(call.self));
  if (!call.args.empty() && !call.kwargs.empty()) {
    return in.Fail("can't handle positional and keyword arguments at the same time");
  }
  if (call.kwargs.empty()) {
    ListBuilder tuple(in.arena());
    for (const Value& arg : call.args) tuple.Add(arg);
    return FormatPercent(in, *format, Value::Of(tuple.Finish(ListKind::kTuple)));
  }
  DictBuilder dict(in.arena());
  for (const KeywordValue& keyword : call.kwargs) dict.Add(in.NewText(keyword.name), keyword.value);
  return FormatPercent(in, *format, Value::Of(static_cast<const Dict*>(dict.Finish())));
}

Result<Value> WordCount(Interpreter& in, Call& call) {
  const Text* text = TRY(in.ToText(call.self));
  TRY(in.StepBytes(text->size * uint64_t{4}));
  int64_t words = 0;
  bool inside = false;
  for (uint32_t at = 0; at < text->size;) {
    const uint32_t c = DecodeChar(text->view(), &at);
    const bool word = c == '_' || IsAlnum(c);
    words += word && !inside;
    inside = word;
  }
  return Value::Int(words);
}

// Python's int(text) and float(text); nullopt where it raises ValueError.
std::optional<double> ReadFloat(std::string_view text) {
  text = TrimSpaceLeft(TrimSpaceRight(text));
  const bool minus = text.starts_with('-');
  if (minus || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text[0] == '-' || text[0] == '+') return std::nullopt;
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ptr != text.data() + text.size()) return std::nullopt;
  if (parsed.ec == std::errc::result_out_of_range)
    value = std::numeric_limits<double>::infinity();
  else if (parsed.ec != std::errc())
    return std::nullopt;
  return minus ? -value : value;
}

Result<Value> Int(Interpreter& in, Call& call) {
  const Value& self = call.self;
  const Value fallback = call.arg[0].missing() ? Value::Int(0) : call.arg[0];
  const int base = call.arg[1].is_integral()
                       ? static_cast<int>(std::clamp<int64_t>(call.arg[1].AsInt(), 0, 37))
                       : 10;
  if (self.is_undefined()) return in.UndefinedError(self);
  if (self.is_integral()) return Value::Int(self.AsInt(), self.request);
  double number = 0;
  if (self.is_text()) {
    std::string digits(TrimSpaceLeft(TrimSpaceRight(self.text->view())));
    TRY(in.StepBytes(digits.size()));
    if (digits.starts_with('+') && !digits.starts_with("+-")) digits.erase(0, 1);
    const bool minus = digits.starts_with('-');
    if (base == 16 && digits.find("0x") == (minus ? 1u : 0u)) digits.erase(minus ? 1 : 0, 2);
    int64_t value = 0;
    if (base >= 2 && base <= 36) {
      const auto parsed =
          std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
      if (parsed.ptr == digits.data() + digits.size() && !digits.empty()) {
        if (parsed.ec == std::errc()) return Value::Int(value, self.text->request);
        if (parsed.ec == std::errc::result_out_of_range) {
          return in.Fail("int: the number does not fit in 64 bits");
        }
      }
    }
    const std::optional<double> read = ReadFloat(self.text->view());
    if (!read) return fallback;
    number = *read;
  } else if (self.is(Kind::kFloat)) {
    number = self.number;
  } else {
    return fallback;
  }
  if (std::isnan(number)) return fallback;
  if (std::isinf(number)) {
    return self.is_text() ? in.Fail("cannot convert float infinity to integer")
                          : in.Fail("cannot convert float infinity to integer");
  }
  if (std::fabs(number) >= 9.2e18) return in.Fail("int: the number does not fit in 64 bits");
  return Value::Int(static_cast<int64_t>(number), FromRequest(self));
}

Result<Value> Float(Interpreter& in, Call& call) {
  const Value& self = call.self;
  if (self.is_undefined()) return in.UndefinedError(self);
  if (self.is_number()) return Value::Float(self.AsDouble(), self.request);
  if (self.is_text()) {
    if (const auto read = ReadFloat(self.text->view()))
      return Value::Float(*read, self.text->request);
  }
  return call.arg[0].missing() ? Value::Float(0.0) : call.arg[0];
}

Result<Value> Abs(Interpreter& in, Call& call) {
  const Value& self = call.self;
  if (self.is(Kind::kFloat)) return Value::Float(std::fabs(self.number), self.request);
  if (!self.is_integral()) return in.Fail("bad operand type for abs()");
  if (self.AsInt() >= 0) return Value::Int(self.AsInt(), self.request);
  return in.Arithmetic(BinaryOp::kSub, Value::Int(0), self);
}

// round(precision=0, method="common"): half to even, as Python rounds the exact binary value.
Result<Value> Round(Interpreter& in, Call& call) {
  if (!call.self.is_number()) return in.Fail("round needs a number");
  const int64_t places = call.arg[0].is_integral() ? call.arg[0].AsInt() : 0;
  const std::string_view method = call.arg[1].is_text() ? call.arg[1].text->view() : "common";
  if (places < -300 || places > 300) return in.Fail("round: the precision is too large");
  const double value = call.self.AsDouble();
  if (method == "ceil" || method == "floor") {
    const double scale = std::pow(10.0, static_cast<double>(places));
    const double scaled = value * scale;
    return Value::Float((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale,
                        call.self.request);
  }
  if (method != "common") return in.Fail("method must be common, ceil or floor");
  if (call.self.is_integral() && places >= 0)
    return Value::Int(call.self.AsInt(), call.self.request);
  if (!std::isfinite(value)) return call.self;
  if (places < 0) {
    const double scale = std::pow(10.0, static_cast<double>(-places));
    const double rounded = std::nearbyint(value / scale) * scale;
    if (call.self.is_integral())
      return Value::Int(static_cast<int64_t>(rounded), call.self.request);
    return Value::Float(rounded, call.self.request);
  }
  const std::string digits = FormatDouble(value, 'f', static_cast<int>(places), false);
  double rounded = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), rounded);
  return Value::Float(rounded, call.self.request);
}

constexpr Builtin kFilters[] = {
    {"trim", "chars", 0, Trim},
    {"upper", "", 0, CaseFilter<Case::kUpper>},
    {"lower", "", 0, CaseFilter<Case::kLower>},
    {"capitalize", "", 0, CapitalizeFilter},
    {"title", "", 0, Title},
    {"replace", "old new count", 2, ReplaceFilter},
    {"string", "", 0, String},
    {"safe", "", 0, Safe},
    {"escape", "", 0, Escape},
    {"e", "", 0, Escape},
    {"forceescape", "", 0, ForceEscape},
    {"indent", "width first blank", 0, Indent},
    {"center", "width", 0, Center},
    {"format", "*", 0, FormatFilter},
    {"wordcount", "", 0, WordCount},
    {"int", "default base", 0, Int},
    {"float", "default", 0, Float},
    {"abs", "", 0, Abs},
    {"round", "precision method", 0, Round},
};

}  // namespace

std::span<const Builtin> TextFilters() { return kFilters; }

}  // namespace skerry::engine::jinja
