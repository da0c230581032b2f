// Evaluating expressions.
#include <cmath>

#include "engine/jinja/internal/interpreter.h"

namespace skerry::engine::jinja {

Result<Value> Interpreter::Evaluate(const Expr& expr, Scope* scope) {
  if (expr.kind == ExprKind::kConst) return expr.value;
  const Deeper deeper(*this);
  TRY(Enter(expr.position));
  return EvaluateInner(expr, scope);
}

Result<Value> Interpreter::EvaluateInner(const Expr& expr, Scope* scope) {
  switch (expr.kind) {
    case ExprKind::kConst:
      return expr.value;
    case ExprKind::kName:
      return Lookup(expr.name, scope);
    case ExprKind::kBody:
      return body_;
    case ExprKind::kGetattr: {
      const Value object = TRY(Evaluate(*expr.a, scope));
      position_ = expr.position;
      return GetAttribute(object, expr.text->view());
    }
    case ExprKind::kGetitem: {
      const Value object = TRY(Evaluate(*expr.a, scope));
      const Value key = TRY(Evaluate(*expr.b, scope));
      position_ = expr.position;
      return GetItem(object, key);
    }
    case ExprKind::kSlice:
      return EvaluateSlice(expr, scope);
    case ExprKind::kCall:
      return EvaluateCall(expr, scope);
    case ExprKind::kFilter:
      return EvaluateBuiltin(expr, scope, "filter");
    case ExprKind::kTest:
      return EvaluateBuiltin(expr, scope, "test");
    case ExprKind::kNot: {
      const Value value = TRY(Evaluate(*expr.a, scope));
      return Value::Bool(!Truth(value));
    }
    case ExprKind::kNegative:
    case ExprKind::kPositive: {
      const Value value = TRY(Evaluate(*expr.a, scope));
      position_ = expr.position;
      if (value.is_undefined()) return UndefinedError(value);
      if (!value.is_number()) {
        return Fail("bad operand type for unary sign: '" + std::string(TypeName(value)) + "'");
      }
      if (expr.kind == ExprKind::kPositive) {
        return value.is(Kind::kFloat) ? value : Value::Int(value.AsInt(), value.request);
      }
      if (value.is(Kind::kFloat)) return Value::Float(-value.number, value.request);
      return Arithmetic(BinaryOp::kSub, Value::Int(0), value);
    }
    case ExprKind::kBinary: {
      const Value left = TRY(Evaluate(*expr.a, scope));
      const Value right = TRY(Evaluate(*expr.b, scope));
      position_ = expr.position;
      return Arithmetic(expr.op, left, right);
    }
    case ExprKind::kConcat:
      return EvaluateConcat(expr, scope);
    case ExprKind::kCompare:
      return EvaluateCompare(expr, scope);
    case ExprKind::kAnd:
    case ExprKind::kOr: {
      const Value left = TRY(Evaluate(*expr.a, scope));
      if (Truth(left) == (expr.kind == ExprKind::kOr)) return left;
      return Evaluate(*expr.b, scope);
    }
    case ExprKind::kCond: {
      const Value condition = TRY(Evaluate(*expr.a, scope));
      if (Truth(condition)) return Evaluate(*expr.b, scope);
      if (expr.c != nullptr) return Evaluate(*expr.c, scope);
      return NewUndefined(Undefined::What::kOther, {},
                          "the inline if-expression evaluated to false and has no else");
    }
    case ExprKind::kList:
      return EvaluateItems(expr, scope, ListKind::kList);
    case ExprKind::kTuple:
      return EvaluateItems(expr, scope, ListKind::kTuple);
    case ExprKind::kDict:
      return EvaluateDict(expr, scope);
    case ExprKind::kNamespaceTarget:
      break;
  }
  return Fail("an assignment target stands where a value is needed");
}

Result<Value> Interpreter::EvaluateConcat(const Expr& expr, Scope* scope) {
  const Text* result = nullptr;
  for (const Expr* item : expr.items) {
    const Value value = TRY(Evaluate(*item, scope));
    position_ = expr.position;
    const Text* text = TRY(ToText(value));
    TRY(StepBytes(text->size));
    result = result == nullptr ? text : ConcatText(arena_, result, text);
  }
  if (result == nullptr) return NewText("");
  if (!result->markup) return Value::Of(result);
  Text* plain = SliceText(arena_, result, 0, result->size);
  plain->markup = false;
  return Value::Of(plain);
}

Result<Value> Interpreter::EvaluateCompare(const Expr& expr, Scope* scope) {
  Value left = TRY(Evaluate(*expr.a, scope));
  bool holds = true;
  for (const Comparison& comparison : expr.comparisons) {
    const Value right = TRY(Evaluate(*comparison.right, scope));
    position_ = expr.position;
    switch (comparison.op) {
      case CompareOp::kEq:
        holds = TRY(Equal(left, right));
        break;
      case CompareOp::kNe: {
        const bool equal = TRY(Equal(left, right));
        holds = !equal;
        break;
      }
      case CompareOp::kIn:
        holds = TRY(Contains(right, left));
        break;
      case CompareOp::kNotIn: {
        const bool inside = TRY(Contains(right, left));
        holds = !inside;
        break;
      }
      default: {
        const bool unordered = (left.is(Kind::kFloat) && std::isnan(left.number)) ||
                               (right.is(Kind::kFloat) && std::isnan(right.number));
        const int order = TRY(Order(left, right));
        holds = comparison.op == CompareOp::kLt   ? order < 0
                : comparison.op == CompareOp::kLe ? order <= 0
                : comparison.op == CompareOp::kGt ? order > 0
                                                  : order >= 0;
        holds = holds && !unordered;
      }
    }
    if (!holds) break;
    left = right;
  }
  return Value::Bool(holds);
}

Result<Value> Interpreter::EvaluateSlice(const Expr& expr, Scope* scope) {
  const Value object = TRY(Evaluate(*expr.a, scope));
  Value bounds[3];
  const Expr* const parts[3] = {expr.b, expr.c, expr.d};
  for (int i = 0; i < 3; ++i) {
    if (parts[i] != nullptr) bounds[i] = TRY(Evaluate(*parts[i], scope));
  }
  position_ = expr.position;
  return Slice(object, bounds[0], bounds[1], bounds[2]);
}

Result<Value> Interpreter::EvaluateItems(const Expr& expr, Scope* scope, ListKind kind) {
  ListBuilder list(arena_, static_cast<uint32_t>(expr.items.size()));
  for (const Expr* item : expr.items) {
    const Value value = TRY(Evaluate(*item, scope));
    list.Add(value);
  }
  return Value::Of(list.Finish(kind));
}

Result<Value> Interpreter::EvaluateDict(const Expr& expr, Scope* scope) {
  DictBuilder dict(arena_);
  for (size_t i = 0; i + 1 < expr.items.size(); i += 2) {
    const Value key = TRY(Evaluate(*expr.items[i], scope));
    const Value value = TRY(Evaluate(*expr.items[i + 1], scope));
    if (!Hashable(key)) return Fail("unhashable type: '" + std::string(TypeName(key)) + "'");
    dict.Add(key, value);
  }
  return Value::Of(static_cast<const Dict*>(dict.Finish()));
}

Result<void> Interpreter::EvaluateArgs(const CallArgs& call, Scope* scope, EvaluatedArgs* out) {
  for (const Expr* arg : call.args) {
    const Value value = TRY(Evaluate(*arg, scope));
    out->args.push_back(value);
  }
  for (const Keyword& keyword : call.kwargs) {
    const Value value = TRY(Evaluate(*keyword.value, scope));
    out->kwargs.push_back({keyword.name->view(), value});
  }
  if (call.dyn_args != nullptr) {
    const Value value = TRY(Evaluate(*call.dyn_args, scope));
    const std::span<const Value> items = TRY(Iterate(value));
    out->args.insert(out->args.end(), items.begin(), items.end());
  }
  if (call.dyn_kwargs != nullptr) {
    const Value value = TRY(Evaluate(*call.dyn_kwargs, scope));
    if (!value.is_dict()) return Fail("the argument after ** must be a dict");
    for (uint32_t i = 0; i < value.dict->n; ++i) {
      const Entry& entry = value.dict->entries[i];
      if (!entry.key.is_text()) return Fail("keywords must be strings");
      for (const KeywordValue& other : out->kwargs) {
        if (other.name == entry.key.text->view()) return Fail("a keyword argument is given twice");
      }
      TRY(Step(1 + out->kwargs.size() / 8));
      out->kwargs.push_back({entry.key.text->view(), entry.value});
    }
  }
  return {};
}

Result<Value> Interpreter::EvaluateCall(const Expr& expr, Scope* scope) {
  const Value callee = TRY(Evaluate(*expr.a, scope));
  EvaluatedArgs evaluated;
  TRY(EvaluateArgs(*expr.call, scope, &evaluated));
  position_ = expr.position;
  return CallValue(callee, evaluated.args, evaluated.kwargs);
}

Result<Value> Interpreter::EvaluateBuiltin(const Expr& expr, Scope* scope, std::string_view what) {
  Call call;
  call.self = TRY(Evaluate(*expr.a, scope));
  EvaluatedArgs evaluated;
  TRY(EvaluateArgs(*expr.call, scope, &evaluated));
  position_ = expr.position;
  if (expr.builtin == nullptr) {
    return Fail("no " + std::string(what) + " is named '" + std::string(expr.text->view()) + "'");
  }
  call.args = evaluated.args;
  call.kwargs = evaluated.kwargs;
  return CallBuiltin(*expr.builtin, call);
}

}  // namespace skerry::engine::jinja
