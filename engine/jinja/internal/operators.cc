// + - * / // % **: on numbers, texts and lists.
#include <cmath>

#include "engine/jinja/internal/format.h"
#include "engine/jinja/internal/interpreter.h"
#include "engine/jinja/internal/markup.h"

namespace skerry::engine::jinja {

namespace {

std::string_view OpName(BinaryOp op) {
  static constexpr std::string_view kNames[] = {"+", "-", "*", "/", "//", "%", "**"};
  return kNames[static_cast<int>(op)];
}

// Python's modulo: the sign of the divisor.
double FloatModulo(double a, double b) {
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

double FloatFloorDivide(double a, double b) {
  double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

// False: it does not fit.
bool IntPower(int64_t base, int64_t exponent, int64_t* result) {
  *result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(*result, base, result)) return false;
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return false;
  }
  return true;
}

Result<Value> IntArithmetic(Interpreter& in, BinaryOp op, int64_t a, int64_t b, bool request) {
  int64_t result = 0;
  bool fits = true;
  switch (op) {
    case BinaryOp::kAdd:
      fits = !__builtin_add_overflow(a, b, &result);
      break;
    case BinaryOp::kSub:
      fits = !__builtin_sub_overflow(a, b, &result);
      break;
    case BinaryOp::kMul:
      fits = !__builtin_mul_overflow(a, b, &result);
      break;
    case BinaryOp::kDiv:
      if (b == 0) return in.Fail("division by zero");
      return Value::Float(static_cast<double>(a) / static_cast<double>(b), request);
    case BinaryOp::kFloorDiv:
    case BinaryOp::kMod: {
      if (b == 0) return in.Fail("integer division or modulo by zero");
      fits = !(a == INT64_MIN && b == -1);
      if (!fits) break;
      const int64_t rest = a % b;
      const bool floor = rest != 0 && (rest < 0) != (b < 0);
      result = op == BinaryOp::kMod ? (floor ? rest + b : rest) : a / b - (floor ? 1 : 0);
      break;
    }
    case BinaryOp::kPow:
      if (b < 0) {
        if (a == 0) return in.Fail("0.0 cannot be raised to a negative power");
        return Value::Float(std::pow(static_cast<double>(a), static_cast<double>(b)), request);
      }
      // 0, 1 and -1 end soon; anything else overflows before the exponent is large.
      fits = IntPower(a, b, &result);
      break;
  }
  if (!fits) {
    return in.Fail("the result of '" + std::string(OpName(op)) + "' does not fit in 64 bits");
  }
  return Value::Int(result, request);
}

Result<Value> FloatArithmetic(Interpreter& in, BinaryOp op, double a, double b, bool request) {
  switch (op) {
    case BinaryOp::kAdd:
      return Value::Float(a + b, request);
    case BinaryOp::kSub:
      return Value::Float(a - b, request);
    case BinaryOp::kMul:
      return Value::Float(a * b, request);
    case BinaryOp::kPow: {
      if (a == 0 && b < 0) return in.Fail("0.0 cannot be raised to a negative power");
      const double power = std::pow(a, b);
      if (std::isnan(power) && !std::isnan(a) && !std::isnan(b)) {
        return in.Fail("complex numbers are not supported");
      }
      if (std::isinf(power) && !std::isinf(a) && !std::isinf(b)) {
        return in.Fail("the result of '**' is too large");
      }
      return Value::Float(power, request);
    }
    default:
      break;
  }
  if (b == 0) return in.Fail("float division by zero");
  if (op == BinaryOp::kDiv) return Value::Float(a / b, request);
  if (op == BinaryOp::kMod) return Value::Float(FloatModulo(a, b), request);
  return Value::Float(FloatFloorDivide(a, b), request);
}

}  // namespace

Result<Value> Interpreter::Repeat(const Value& sequence, int64_t times) {
  if (times < 0) times = 0;
  if (sequence.is_text()) {
    const Text& text = *sequence.text;
    if (text.size > 0 && times > kMaxTextBytes / text.size) {
      return Error(ErrorCode::kExhausted,
                   "a repeated text is longer than " + std::to_string(kMaxTextBytes) + " bytes");
    }
    TRY(StepBytes(static_cast<uint64_t>(times) * text.size));
    if (text.size == 0) times = 0;
    TRY(Step(static_cast<uint64_t>(times) / 4));
    TextBuilder builder(arena_);
    for (int64_t i = 0; i < times; ++i) builder.Append(text);
    Text* result = builder.Finish();
    result->markup = text.markup;
    return Value::Of(result);
  }
  const List& list = *sequence.list;
  if (list.n == 0) times = 0;
  if (list.n > 0 && times > static_cast<int64_t>(kMaxTextBytes / sizeof(Value) / list.n)) {
    return Error(ErrorCode::kExhausted, "a repeated list is too long");
  }
  TRY(Step(static_cast<uint64_t>(times) * list.n / 4));
  ListBuilder builder(arena_, static_cast<uint32_t>(times) * list.n);
  for (int64_t i = 0; i < times; ++i) {
    for (uint32_t k = 0; k < list.n; ++k) builder.Add(list.items[k]);
  }
  return Value::Of(builder.Finish(list.kind, list.request));
}

Result<Value> Interpreter::Arithmetic(BinaryOp op, const Value& a, const Value& b) {
  const bool request = a.request || b.request;
  if (a.is_integral() && b.is_integral()) {
    return IntArithmetic(*this, op, a.AsInt(), b.AsInt(), request);
  }
  if (a.is_number() && b.is_number()) {
    return FloatArithmetic(*this, op, a.AsDouble(), b.AsDouble(), request);
  }
  if (op == BinaryOp::kMod && a.is_text()) return FormatPercent(*this, *a.text, b);
  if (a.is_undefined()) return UndefinedError(a);
  if (b.is_undefined()) return UndefinedError(b);
  if (op == BinaryOp::kAdd && a.is_text() && b.is_text()) {
    TRY(StepBytes(b.text->size));
    if (!a.text->markup && !b.text->markup) return Value::Of(ConcatText(arena_, a.text, b.text));
    const Text* left = EscapeUnlessMarkup(arena_, a.text);
    const Text* right = EscapeUnlessMarkup(arena_, b.text);
    Text* joined = ConcatText(arena_, left, right);
    joined->markup = true;
    return Value::Of(static_cast<const Text*>(joined));
  }
  const auto listed = [](const Value& v) {
    return v.is_list(ListKind::kList) || v.is_list(ListKind::kTuple);
  };
  if (op == BinaryOp::kAdd && listed(a) && listed(b) && a.list->kind == b.list->kind) {
    TRY(Step(1 + b.list->n / 4));
    return Value::Of(ConcatLists(arena_, a.list, b.list));
  }
  if (op == BinaryOp::kMul) {
    if ((a.is_text() || listed(a)) && b.is_integral()) return Repeat(a, b.AsInt());
    if ((b.is_text() || listed(b)) && a.is_integral()) return Repeat(b, a.AsInt());
  }
  if (op == BinaryOp::kAdd && (a.is_text() || listed(a))) {
    return Fail("can only concatenate " + std::string(TypeName(a)) + " (not \"" +
                std::string(TypeName(b)) + "\") to " + std::string(TypeName(a)));
  }
  return Fail("unsupported operand types for " + std::string(OpName(op)) + ": '" +
              std::string(TypeName(a)) + "' and '" + std::string(TypeName(b)) + "'");
}

}  // namespace skerry::engine::jinja
