// map, select and their kin, and the tests they and `is` apply.
#include <cmath>

#include "engine/jinja/internal/text_tools.h"

namespace skerry::engine::jinja {

namespace {

// A lazy filter's failure only shows where its elements are walked.
Value Lazy(Interpreter& in, ListBuilder& list, const Error& error) {
  List* generator = list.Finish(ListKind::kGenerator);
  generator->failure = in.arena().New<std::string_view>(in.arena().Copy(error.message()));
  return Value::Of(generator);
}

Result<Value> MapItem(Interpreter& in, Call& call, const Value& item) {
  for (const KeywordValue& keyword : call.kwargs) {
    if (!call.args.empty() || keyword.name != "attribute") continue;
    const Value value = TRY(in.AttributePath(item, keyword.value));
    if (!value.is_undefined()) return value;
    for (const KeywordValue& other : call.kwargs) {
      if (other.name == "default") return other.value;
    }
    return value;
  }
  if (call.args.empty()) return in.Fail("map requires a filter argument");
  return in.CallFilter(call.args[0], item, call.args.subspan(1), call.kwargs);
}

Result<Value> Map(Interpreter& in, Call& call) {
  ListBuilder list(in.arena());
  // What is false, none for one, has no elements.
  if (!Truth(call.self)) return Value::Of(list.Finish(ListKind::kGenerator));
  const auto walked = in.Iterate(call.self);
  if (!walked) return Lazy(in, list, walked.error());
  for (const Value& item : *walked) {
    TRY(in.Step());
    const Result<Value> mapped = MapItem(in, call, item);
    if (!mapped && mapped.error().code() == ErrorCode::kExhausted) return mapped.error();
    if (!mapped) return Lazy(in, list, mapped.error());
    list.Add(*mapped);
  }
  return Value::Of(list.Finish(ListKind::kGenerator));
}

Result<bool> Passes(Interpreter& in, Call& call, const Value& item, bool attribute) {
  Value subject = item;
  std::span<const Value> args = call.args;
  if (attribute) {
    if (args.empty()) return in.Fail("missing parameter for attribute name");
    subject = TRY(in.AttributePath(item, args[0]));
    args = args.subspan(1);
  }
  if (args.empty()) return Truth(subject);
  return in.CallTest(args[0], subject, args.subspan(1), call.kwargs);
}

template <bool attribute, bool keep>
Result<Value> Select(Interpreter& in, Call& call) {
  ListBuilder list(in.arena());
  // What is false, none for one, has no elements.
  if (!Truth(call.self)) return Value::Of(list.Finish(ListKind::kGenerator));
  const auto walked = in.Iterate(call.self);
  if (!walked) return Lazy(in, list, walked.error());
  for (const Value& item : *walked) {
    TRY(in.Step());
    const Result<bool> passes = Passes(in, call, item, attribute);
    if (!passes && passes.error().code() == ErrorCode::kExhausted) return passes.error();
    if (!passes) return Lazy(in, list, passes.error());
    if (*passes == keep) list.Add(item);
  }
  return Value::Of(list.Finish(ListKind::kGenerator));
}

// groupby(attribute, default=None, case_sensitive=False)
Result<Value> GroupBy(Interpreter& in, Call& call) {
  Call sort;
  sort.self = call.self;
  const Value sort_args[3] = {Value::Bool(false), Value::Bool(true), call.arg[0]};
  sort.args = sort_args;
  const Value sorted = TRY(in.CallBuiltin(*FindFilter("sort"), sort));
  ListBuilder groups(in.arena());
  for (uint32_t at = 0; at < sorted.list->n;) {
    const Value key = TRY(in.AttributePath(sorted.list->items[at], call.arg[0]));
    ListBuilder group(in.arena());
    while (at < sorted.list->n) {
      const Value other = TRY(in.AttributePath(sorted.list->items[at], call.arg[0]));
      const bool same = TRY(in.Equal(key, other));
      if (!same) break;
      group.Add(sorted.list->items[at++]);
    }
    ListBuilder pair(in.arena(), 2);
    pair.Add(key);
    pair.Add(Value::Of(group.Finish()));
    groups.Add(Value::Of(pair.Finish(ListKind::kTuple)));
  }
  return Value::Of(groups.Finish());
}

Result<Value> Attr(Interpreter& in, Call& call) {
  const Text* name = TRY(in.ToText(call.arg[0]));
  if (call.self.is_dict() && FindMethod(call.self, name->view()) == nullptr) {
    return in.NewUndefined(Undefined::What::kAttribute, "dict object", name->view());
  }
  return in.GetAttribute(call.self, name->view());
}

constexpr Builtin kFilters[] = {
    {"map", "*", 0, Map},
    {"select", "*", 0, Select<false, true>},
    {"reject", "*", 0, Select<false, false>},
    {"selectattr", "*", 0, Select<true, true>},
    {"rejectattr", "*", 0, Select<true, false>},
    {"groupby", "attribute", 1, GroupBy},
    {"attr", "name", 1, Attr},
};

// Tests.

template <bool (*holds)(const Value&)>
Result<Value> Is(Interpreter&, Call& call) {
  return Value::Bool(holds(call.self));
}

bool Defined(const Value& v) { return !v.is_undefined(); }
bool IsUndefined(const Value& v) { return v.is_undefined(); }
bool IsNone(const Value& v) { return v.is_none(); }
bool IsBoolean(const Value& v) { return v.is(Kind::kBool); }
bool IsTrue(const Value& v) { return v.is(Kind::kBool) && v.boolean; }
bool IsFalse(const Value& v) { return v.is(Kind::kBool) && !v.boolean; }
bool IsInteger(const Value& v) { return v.is(Kind::kInt); }
bool IsFloat(const Value& v) { return v.is(Kind::kFloat); }
bool IsNumber(const Value& v) { return v.is_number(); }
bool IsString(const Value& v) { return v.is_text(); }
bool IsMapping(const Value& v) { return v.is_dict(); }
bool IsIterable(const Value& v) {
  return v.is_text() || v.is_dict() || v.is(Kind::kList) || v.is_undefined() || v.is(Kind::kLoop);
}
// What has a length and subscripts, as jinja2 asks.
bool IsSequence(const Value& v) {
  return v.is_text() || v.is_dict() || v.is_undefined() ||
         (v.is(Kind::kList) &&
          (v.list->kind == ListKind::kList || v.list->kind == ListKind::kTuple ||
           v.list->kind == ListKind::kRange));
}
bool IsCallable(const Value& v) {
  return v.is(Kind::kCallable) || v.is(Kind::kLoop) || v.is_undefined();
}
bool IsEscaped(const Value& v) { return v.is_text() && v.text->markup; }

template <int64_t remainder>
Result<Value> Parity(Interpreter& in, Call& call) {
  const Value rest = TRY(in.Arithmetic(BinaryOp::kMod, call.self, Value::Int(2)));
  const bool same = TRY(in.Equal(rest, Value::Int(remainder)));
  return Value::Bool(same);
}

Result<Value> DivisibleBy(Interpreter& in, Call& call) {
  const Value rest = TRY(in.Arithmetic(BinaryOp::kMod, call.self, call.arg[0]));
  const bool same = TRY(in.Equal(rest, Value::Int(0)));
  return Value::Bool(same);
}

template <bool negate>
Result<Value> EqualTest(Interpreter& in, Call& call) {
  const bool same = TRY(in.Equal(call.self, call.arg[0]));
  return Value::Bool(same != negate);
}

enum class Side : uint8_t { kLess, kLessEqual, kGreater, kGreaterEqual };
template <Side side>
Result<Value> OrderTest(Interpreter& in, Call& call) {
  const int order = TRY(in.Order(call.self, call.arg[0]));
  return Value::Bool(side == Side::kLess        ? order < 0
                     : side == Side::kLessEqual ? order <= 0
                     : side == Side::kGreater   ? order > 0
                                                : order >= 0);
}

Result<Value> InTest(Interpreter& in, Call& call) {
  const bool inside = TRY(in.Contains(call.arg[0], call.self));
  return Value::Bool(inside);
}

template <bool upper>
Result<Value> CaseTest(Interpreter& in, Call& call) {
  const Text* text = TRY(in.ToText(call.self));
  const Value method = TRY(in.GetAttribute(Value::Of(text), upper ? "isupper" : "islower"));
  return in.CallValue(method, {}, {});
}

Result<Value> SameAs(Interpreter& in, Call& call) {
  if (call.self.kind != call.arg[0].kind) return Value::Bool(false);
  if (call.self.is_text()) return Value::Bool(call.self.text == call.arg[0].text);
  const bool same = TRY(in.Equal(call.self, call.arg[0]));
  return Value::Bool(same);
}

template <bool filter>
Result<Value> Exists(Interpreter&, Call& call) {
  if (!call.self.is_text()) return Value::Bool(false);
  const std::string_view name = call.self.text->view();
  return Value::Bool((filter ? FindFilter(name) : FindTest(name)) != nullptr);
}

constexpr Builtin kTests[] = {
    {"defined", "", 0, Is<Defined>},
    {"undefined", "", 0, Is<IsUndefined>},
    {"none", "", 0, Is<IsNone>},
    {"boolean", "", 0, Is<IsBoolean>},
    {"true", "", 0, Is<IsTrue>},
    {"false", "", 0, Is<IsFalse>},
    {"integer", "", 0, Is<IsInteger>},
    {"float", "", 0, Is<IsFloat>},
    {"number", "", 0, Is<IsNumber>},
    {"string", "", 0, Is<IsString>},
    {"mapping", "", 0, Is<IsMapping>},
    {"iterable", "", 0, Is<IsIterable>},
    {"sequence", "", 0, Is<IsSequence>},
    {"callable", "", 0, Is<IsCallable>},
    {"escaped", "", 0, Is<IsEscaped>},
    {"odd", "", 0, Parity<1>},
    {"even", "", 0, Parity<0>},
    {"divisibleby", "num", 1, DivisibleBy},
    {"eq", "_", 1, EqualTest<false>},
    {"equalto", "_", 1, EqualTest<false>},
    {"ne", "_", 1, EqualTest<true>},
    {"lt", "_", 1, OrderTest<Side::kLess>},
    {"lessthan", "_", 1, OrderTest<Side::kLess>},
    {"le", "_", 1, OrderTest<Side::kLessEqual>},
    {"gt", "_", 1, OrderTest<Side::kGreater>},
    {"greaterthan", "_", 1, OrderTest<Side::kGreater>},
    {"ge", "_", 1, OrderTest<Side::kGreaterEqual>},
    {"in", "seq", 1, InTest},
    {"upper", "", 0, CaseTest<true>},
    {"lower", "", 0, CaseTest<false>},
    {"sameas", "other", 1, SameAs},
    {"filter", "", 0, Exists<true>},
    {"test", "", 0, Exists<false>},
};

struct Alias {
  std::string_view sign, name;
};
constexpr Alias kAliases[] = {{"==", "eq"}, {"!=", "ne"}, {"<", "lt"},
                              {"<=", "le"}, {">", "gt"},  {">=", "ge"}};

}  // namespace

std::span<const Builtin> SelectFilters() { return kFilters; }

const Builtin* FindTest(std::string_view name) {
  for (const Alias& alias : kAliases) {
    if (alias.sign == name) name = alias.name;
  }
  for (const Builtin& test : kTests) {
    if (test.name == name) return &test;
  }
  return nullptr;
}

}  // namespace skerry::engine::jinja
