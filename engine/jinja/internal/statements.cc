// Running statements: output, branches, loops, assignments, macros' definitions.
#include <algorithm>

#include "engine/jinja/internal/interpreter.h"

namespace skerry::engine::jinja {

Scope* Interpreter::NewScope(Scope* parent) {
  Scope* scope = arena_.New<Scope>();
  scope->parent = parent;
  return scope;
}

void Interpreter::Set(Scope* scope, NameId name, const Value& value) {
  for (uint32_t i = 0; i < scope->n; ++i) {
    if (scope->slots[i].name == name) {
      scope->slots[i].value = value;
      return;
    }
  }
  if (scope->n == scope->capacity) {
    const uint32_t capacity = std::max<uint32_t>(4, scope->capacity * 2);
    Slot* slots = arena_.NewArray<Slot>(capacity);
    std::copy_n(scope->slots, scope->n, slots);
    scope->slots = slots;
    scope->capacity = capacity;
  }
  scope->slots[scope->n++] = {name, value};
}

Value Interpreter::Lookup(NameId name, const Scope* scope) {
  for (; scope != nullptr; scope = scope->parent) {
    for (uint32_t i = 0; i < scope->n; ++i) {
      if (scope->slots[i].name == name) return scope->slots[i].value;
    }
  }
  if (!context_[name].missing()) return context_[name];
  return NewUndefined(Undefined::What::kVariable, {}, names_.NameOf(name));
}

Result<Interpreter::Flow> Interpreter::RunBlock(Block block, Scope* scope) {
  const Deeper deeper(*this);
  for (const Statement* statement : block) {
    const Flow flow = TRY(RunStatement(*statement, scope));
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::RunStatement(const Statement& statement, Scope* scope) {
  TRY(Enter(statement.position));
  switch (statement.kind) {
    case StatementKind::kData:
      TRY(StepBytes(statement.data->size));
      out_->Append(*statement.data);
      break;
    case StatementKind::kOutput: {
      const Value value = TRY(Evaluate(*statement.expr, scope));
      position_ = statement.position;
      const Text* text = TRY(ToText(value));
      TRY(StepBytes(text->size));
      out_->Append(*text);
      break;
    }
    case StatementKind::kIf:
      return RunIf(statement, scope);
    case StatementKind::kFor:
      TRY(RunFor(statement, scope));
      break;
    case StatementKind::kSet: {
      const Value value = TRY(Evaluate(*statement.expr, scope));
      TRY(Assign(*statement.target, value, scope));
      break;
    }
    case StatementKind::kSetBlock:
    case StatementKind::kFilterBlock: {
      const Value outer_body = body_;
      body_ = TRY(Capture(statement.body, NewScope(scope)));
      const Value value = TRY(Evaluate(*statement.expr, scope));
      body_ = outer_body;
      if (statement.kind == StatementKind::kSetBlock) {
        TRY(Assign(*statement.target, value, scope));
        break;
      }
      const Text* text = TRY(ToText(value));
      out_->Append(*text);
      break;
    }
    case StatementKind::kMacro: {
      Callable* macro = arena_.New<Callable>();
      macro->macro = statement.macro;
      macro->scope = scope;
      Set(scope, statement.name, Value::Of(macro));
      break;
    }
    case StatementKind::kCallBlock:
      TRY(RunCallBlock(statement, scope));
      break;
    case StatementKind::kWith:
      TRY(RunWith(statement, scope));
      break;
    case StatementKind::kScope:
      TRY(RunBlock(statement.body, NewScope(scope)));
      break;
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::RunIf(const Statement& statement, Scope* scope) {
  for (const Branch& branch : statement.branches) {
    if (branch.condition != nullptr) {
      const Value condition = TRY(Evaluate(*branch.condition, scope));
      if (!Truth(condition)) continue;
    }
    return RunBlock(branch.body, scope);
  }
  return Flow::kNormal;
}

Result<Value> Interpreter::Capture(Block block, Scope* scope) {
  TextBuilder captured(arena_);
  TextBuilder* outer = out_;
  out_ = &captured;
  const Result<Flow> flow = RunBlock(block, scope);
  out_ = outer;
  if (!flow) return flow.error();
  return Value::Of(captured.Finish());
}

Result<void> Interpreter::Assign(const Expr& target, const Value& value, Scope* scope) {
  if (target.kind == ExprKind::kName) {
    Set(scope, target.name, value);
    return {};
  }
  if (target.kind == ExprKind::kNamespaceTarget) return AssignNamespace(target, value, scope);
  const Deeper deeper(*this);
  const std::span<const Value> items = TRY(Iterate(value));
  if (items.size() != target.items.size()) {
    return Fail("cannot unpack " + std::to_string(items.size()) + " values into " +
                std::to_string(target.items.size()) + " names");
  }
  for (size_t i = 0; i < items.size(); ++i) TRY(Assign(*target.items[i], items[i], scope));
  return {};
}

Result<void> Interpreter::AssignNamespace(const Expr& target, const Value& value, Scope* scope) {
  const Value object = Lookup(target.name, scope);
  if (!object.is(Kind::kNamespace)) {
    return Fail("cannot assign attribute on '" + std::string(names_.NameOf(target.name)) +
                "', which is no namespace");
  }
  Namespace& ns = *object.ns;
  TRY(Step(1 + ns.n / 8));
  for (uint32_t i = 0; i < ns.n; ++i) {
    if (ns.entries[i].key.is_text() && ns.entries[i].key.text->view() == target.text->view()) {
      ns.entries[i].value = value;
      return {};
    }
  }
  if (ns.n == ns.capacity) {
    ns.capacity = std::max<uint32_t>(4, ns.n * 2);
    Entry* entries = arena_.NewArray<Entry>(ns.capacity);
    std::copy_n(ns.entries, ns.n, entries);
    ns.entries = entries;
  }
  ns.entries[ns.n++] = {Value::Of(target.text), value};
  return {};
}

// The next element the loop's condition lets through; kMissing at the end.
Result<Value> Interpreter::PullItem(Loop& loop) {
  while (loop.at < loop.raw.size()) {
    const Value item = loop.raw[loop.at++];
    if (!loop.filters) return item;
    Scope* scope = NewScope(loop.outer);
    TRY(Assign(*loop.statement->target, item, scope));
    const Value passes = TRY(Evaluate(*loop.statement->test, scope));
    if (Truth(passes)) return item;
  }
  if (loop.failure != nullptr) return Fail(std::string(*loop.failure));
  return Value::Missing();
}

Result<Value> Interpreter::PeekItem(Loop& loop) {
  if (!loop.peeked) {
    loop.next = TRY(PullItem(loop));
    loop.peeked = true;
  }
  return loop.next;
}

// Makes n_after the number of elements behind the current one.
Result<void> Interpreter::CountRest(Loop& loop) {
  if (loop.filters) {
    ListBuilder rest(arena_);
    while (true) {
      const Value item = TRY(PullItem(loop));
      if (item.missing()) break;
      rest.Add(item);
    }
    loop.filters = false;
    loop.raw = rest.items();
    loop.at = 0;
  }
  loop.n_after = static_cast<int64_t>(loop.raw.size() - loop.at) +
                 (loop.peeked && !loop.next.missing() ? 1 : 0);
  return {};
}

Result<bool> Interpreter::NextItem(Loop& loop) {
  const Value item = TRY(PeekItem(loop));
  loop.peeked = false;
  if (item.missing()) return false;
  loop.previous = loop.current;
  loop.current = item;
  ++loop.index0;
  return true;
}

Result<void> Interpreter::RunFor(const Statement& statement, Scope* scope) {
  const Value iterable = TRY(Evaluate(*statement.expr, scope));
  position_ = statement.position;
  return RunLoop(statement, iterable, scope, /*depth0=*/0);
}

Result<void> Interpreter::RunLoop(const Statement& statement, const Value& iterable, Scope* outer,
                                  int depth0) {
  Loop* loop = arena_.New<Loop>();
  loop->statement = &statement;
  loop->outer = outer;
  loop->filters = statement.test != nullptr;
  loop->depth0 = depth0;
  loop->raw = TRY(Iterate(iterable, &loop->failure));
  bool any = false;
  Scope* scope = NewScope(outer);
  while (true) {
    const bool has_item = TRY(NextItem(*loop));
    if (!has_item) break;
    TRY(Step());
    any = true;
    scope->n = 0;
    TRY(Assign(*statement.target, loop->current, scope));
    Set(scope, known_.loop, Value::Of(loop));
    const Flow flow = TRY(RunBlock(statement.body, scope));
    if (flow == Flow::kBreak) break;
  }
  if (!any) TRY(RunBlock(statement.else_body, NewScope(outer)));
  return {};
}

Result<void> Interpreter::RunWith(const Statement& statement, Scope* scope) {
  Scope* inner = NewScope(scope);
  for (const Assignment& assignment : statement.assignments) {
    // Values see the scope outside only.
    const Value value = TRY(Evaluate(*assignment.value, scope));
    TRY(Assign(*assignment.target, value, inner));
  }
  TRY(RunBlock(statement.body, inner));
  return {};
}

Result<void> Interpreter::RunCallBlock(const Statement& statement, Scope* scope) {
  Callable* caller = arena_.New<Callable>();
  caller->macro = statement.macro;
  caller->scope = scope;
  const Expr& call = *statement.expr;
  const Value callee = TRY(Evaluate(*call.a, scope));
  EvaluatedArgs evaluated;
  TRY(EvaluateArgs(*call.call, scope, &evaluated));
  evaluated.kwargs.push_back({"caller", Value::Of(caller)});
  position_ = call.position;
  const Value value = TRY(CallValue(callee, evaluated.args, evaluated.kwargs));
  const Text* text = TRY(ToText(value));
  TRY(StepBytes(text->size));
  out_->Append(*text);
  return {};
}

}  // namespace skerry::engine::jinja
