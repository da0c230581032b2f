// Calling: builtins, macros, recursive loops, and what `loop` offers.
#include <algorithm>

#include "engine/jinja/internal/interpreter.h"

namespace skerry::engine::jinja {

namespace {

// The next name of a list separated by spaces.
std::string_view TakeName(std::string_view* names) {
  const size_t end = std::min(names->find(' '), names->size());
  const std::string_view name = names->substr(0, end);
  names->remove_prefix(std::min(end + 1, names->size()));
  return name;
}

}  // namespace

Result<Value> Interpreter::CallBuiltin(const Builtin& builtin, Call& call) {
  std::fill(std::begin(call.arg), std::end(call.arg), Value::Missing());
  if (builtin.params == "*") return builtin.run(*this, call);
  const std::string who = "'" + std::string(builtin.name) + "' ";
  size_t used_kwargs = 0;
  size_t n_params = 0;
  for (std::string_view rest = builtin.params; !rest.empty(); ++n_params) {
    const std::string_view name = TakeName(&rest);
    if (n_params < call.args.size()) call.arg[n_params] = call.args[n_params];
    for (const KeywordValue& keyword : call.kwargs) {
      if (keyword.name != name || name == "_") continue;
      if (!call.arg[n_params].missing()) {
        return Fail(who + "got '" + std::string(name) + "' twice");
      }
      call.arg[n_params] = keyword.value;
      ++used_kwargs;
    }
  }
  if (call.args.size() > n_params) {
    return Fail(who + "takes at most " + std::to_string(n_params) + " arguments");
  }
  if (used_kwargs < call.kwargs.size()) return Fail(who + "got an argument it does not know");
  for (int i = 0; i < builtin.required; ++i) {
    if (call.arg[i].missing()) {
      return Fail(who + "needs " + std::to_string(builtin.required) + " arguments");
    }
  }
  return builtin.run(*this, call);
}

Result<Value> Interpreter::CallFilter(const Value& name, const Value& self,
                                      std::span<const Value> args,
                                      std::span<const KeywordValue> kwargs) {
  const Builtin* filter = name.is_text() ? FindFilter(name.text->view()) : nullptr;
  if (filter == nullptr) return Fail("a filter is named that does not exist");
  Call call;
  call.self = self;
  call.args = args;
  call.kwargs = kwargs;
  return CallBuiltin(*filter, call);
}

Result<bool> Interpreter::CallTest(const Value& name, const Value& self,
                                   std::span<const Value> args,
                                   std::span<const KeywordValue> kwargs) {
  const Builtin* test = name.is_text() ? FindTest(name.text->view()) : nullptr;
  if (test == nullptr) return Fail("a test is named that does not exist");
  Call call;
  call.self = self;
  call.args = args;
  call.kwargs = kwargs;
  const Value result = TRY(CallBuiltin(*test, call));
  return Truth(result);
}

Result<Value> Interpreter::CallValue(const Value& callee, std::span<const Value> args,
                                     std::span<const KeywordValue> kwargs) {
  const Deeper deeper(*this);
  TRY(Enter(position_));
  if (callee.is_undefined()) return UndefinedError(callee);
  if (callee.is(Kind::kLoop)) {
    if (args.size() != 1 || !kwargs.empty()) return Fail("loop() takes one argument");
    return CallLoop(*callee.loop, args);
  }
  if (!callee.is(Kind::kCallable)) {
    return Fail("'" + std::string(TypeName(callee)) + "' object is not callable");
  }
  const Callable& callable = *callee.callable;
  if (callable.macro != nullptr) return CallMacro(callable, args, kwargs);
  Call call;
  call.self = callable.self;
  call.args = args;
  call.kwargs = kwargs;
  return CallBuiltin(*callable.builtin, call);
}

Result<void> Interpreter::BindMacro(const Callable& callable, std::span<const Value> args,
                                    std::span<const KeywordValue> kwargs, Scope* scope) {
  const MacroInfo& macro = *callable.macro;
  const std::string who = "macro '" + std::string(macro.name->view()) + "' ";
  DictBuilder extra(arena_);
  size_t n_extra = 0;
  bool caller_given = false;
  std::vector<Value> bound(macro.parameters.size(), Value::Missing());
  std::copy_n(args.begin(), std::min(args.size(), bound.size()), bound.begin());
  for (const KeywordValue& keyword : kwargs) {
    size_t i = std::min(args.size(), bound.size());
    while (i < bound.size() && macro.parameters[i].name->view() != keyword.name) ++i;
    if (i < bound.size()) {
      bound[i] = keyword.value;
    } else if (keyword.name == "caller" && macro.uses_caller && !macro.names_caller) {
      Set(scope, known_.caller, keyword.value);
      caller_given = true;
    } else {
      extra.Add(NewText(keyword.name), keyword.value);
      ++n_extra;
    }
  }
  if (macro.uses_caller && !macro.names_caller && !caller_given) {
    Set(scope, known_.caller, NewUndefined(Undefined::What::kOther, {}, "no caller is defined"));
  }
  if (macro.uses_kwargs) {
    Set(scope, known_.kwargs, Value::Of(static_cast<const Dict*>(extra.Finish())));
  } else if (n_extra > 0) {
    return Fail(who + "takes no keyword argument '" + std::string(kwargs.back().name) + "'");
  }
  if (macro.uses_varargs) {
    ListBuilder rest(arena_);
    for (size_t i = bound.size(); i < args.size(); ++i) rest.Add(args[i]);
    Set(scope, known_.varargs, Value::Of(rest.Finish(ListKind::kTuple)));
  } else if (args.size() > bound.size()) {
    return Fail(who + "takes not more than " + std::to_string(bound.size()) + " argument(s)");
  }
  for (size_t i = 0; i < bound.size(); ++i) {
    const Parameter& parameter = macro.parameters[i];
    if (bound[i].missing() && parameter.fallback != nullptr) {
      bound[i] = TRY(Evaluate(*parameter.fallback, scope));
    } else if (bound[i].missing()) {
      bound[i] = NewUndefined(Undefined::What::kParameter, {}, parameter.name->view());
    }
    Set(scope, parameter.id, bound[i]);
  }
  return {};
}

Result<Value> Interpreter::CallMacro(const Callable& callable, std::span<const Value> args,
                                     std::span<const KeywordValue> kwargs) {
  Scope* scope = NewScope(callable.scope);
  TRY(BindMacro(callable, args, kwargs, scope));
  return Capture(callable.macro->body, scope);
}

Result<Value> Interpreter::CallLoop(Loop& loop, std::span<const Value> args) {
  if (!loop.statement->recursive) return Fail("the loop is not marked 'recursive'");
  TextBuilder captured(arena_);
  TextBuilder* outer = out_;
  out_ = &captured;
  const Result<void> done = RunLoop(*loop.statement, args[0], loop.outer, loop.depth0 + 1);
  out_ = outer;
  if (!done) return done.error();
  return Value::Of(captured.Finish());
}

namespace {

Loop& LoopOf(Call& call) { return *call.self.loop; }

Result<Value> LoopCycle(Interpreter& in, Call& call) {
  if (call.args.empty()) return in.Fail("no items for cycling given");
  return call.args[static_cast<size_t>(LoopOf(call).index0) % call.args.size()];
}

Result<Value> LoopChanged(Interpreter& in, Call& call) {
  ListBuilder list(in.arena());
  for (const Value& arg : call.args) list.Add(arg);
  const Value now = Value::Of(list.Finish(ListKind::kTuple));
  Loop& loop = LoopOf(call);
  if (!loop.changed.missing()) {
    const bool same = TRY(in.Equal(loop.changed, now));
    if (same) return Value::Bool(false);
  }
  loop.changed = now;
  return Value::Bool(true);
}

constexpr Builtin kLoopMethods[] = {{"cycle", "*", 0, LoopCycle}, {"changed", "*", 0, LoopChanged}};

}  // namespace

Result<Value> Interpreter::LoopAttribute(Loop& loop, std::string_view name) {
  if (name == "index") return Value::Int(loop.index0 + 1);
  if (name == "index0") return Value::Int(loop.index0);
  if (name == "first") return Value::Bool(loop.index0 == 0);
  if (name == "depth") return Value::Int(loop.depth0 + 1);
  if (name == "depth0") return Value::Int(loop.depth0);
  if (name == "last" || name == "nextitem") {
    const Value next = TRY(PeekItem(loop));
    if (name == "last") return Value::Bool(next.missing());
    if (!next.missing()) return next;
    return NewUndefined(Undefined::What::kOther, {}, "there is no next item");
  }
  if (name == "previtem") {
    if (!loop.previous.missing()) return loop.previous;
    return NewUndefined(Undefined::What::kOther, {}, "there is no previous item");
  }
  if (name == "length" || name == "revindex" || name == "revindex0") {
    TRY(CountRest(loop));
    const int64_t offset = name == "length" ? loop.index0 + 1 : name == "revindex" ? 1 : 0;
    return Value::Int(loop.n_after + offset);
  }
  for (const Builtin& method : kLoopMethods) {
    if (method.name != name) continue;
    Callable* callable = arena_.New<Callable>();
    callable->builtin = &method;
    callable->self = Value::Of(&loop);
    return Value::Of(callable);
  }
  return NewUndefined(Undefined::What::kAttribute, "jinja2.runtime.LoopContext object", name);
}

}  // namespace skerry::engine::jinja
