// Runs a parsed template. One object for one render, one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/jinja/internal/builtins.h"
#include "engine/jinja/internal/parser.h"
#include "engine/jinja/template.h"

namespace skerry::engine::jinja {

struct Slot {
  NameId name;
  Value value;
};

// Variables of one block; inner blocks see outer ones.
struct Scope {
  Scope* parent = nullptr;
  Slot* slots = nullptr;
  uint32_t n = 0;
  uint32_t capacity = 0;
};

struct Callable {
  const Builtin* builtin = nullptr;  // a method or a global function
  Value self;                        // the method's object
  const MacroInfo* macro = nullptr;
  Scope* scope = nullptr;  // where the macro was defined
  Value* state = nullptr;  // of what cycler() and joiner() make
};

// One running `for`, and what its body sees as `loop`.
struct Loop {
  const Statement* statement = nullptr;
  Scope* outer = nullptr;
  std::span<const Value> raw;  // elements, before the loop's own condition
  size_t at = 0;
  bool filters = false;
  const std::string_view* failure = nullptr;  // of the generator walked: raised at its end
  bool peeked = false;
  Value next;  // if peeked; kMissing at the end
  Value current = Value::Missing();
  Value previous = Value::Missing();
  int64_t index0 = -1;
  int64_t n_after = 0;  // known only without a condition
  int depth0 = 0;
  Value changed = Value::Missing();
};

// Names every template knows.
struct KnownNames {
  NameId loop, caller, varargs, kwargs;
};

class Interpreter {
 public:
  Interpreter(const Names& names, const KnownNames& known, const RenderOptions& options);

  // Everything the template refers to, by name id. Kept by reference.
  Result<void> SetContext(const OrderedJson& context);
  Result<void> Run(Block body);

  // The place where it stopped, for messages.
  Position position() const { return position_; }
  const std::optional<std::string>& refusal() const { return refusal_; }
  const TextBuilder& output() const { return output_; }

  // What builtins use.

  Arena& arena() { return arena_; }
  const RenderOptions& options() const { return options_; }
  // Counts work; kExhausted past a limit.
  Result<void> Step(uint64_t n = 1) {
    steps_ += n;
    if (steps_ > options_.limits.max_steps || arena_.exhausted()) return LimitError();
    return {};
  }
  Result<void> StepBytes(uint64_t bytes) { return Step(1 + bytes / 64); }
  Error Fail(std::string message) const { return Error(ErrorCode::kCorrupt, std::move(message)); }
  Error UndefinedError(const Value& value) const;
  void Refuse(std::string message) { refusal_ = std::move(message); }

  Value NewText(std::string_view text, bool request = false) {
    return Value::Of(CopyText(arena_, text, request));
  }
  Value NewUndefined(Undefined::What what, std::string_view type, std::string_view name);
  // `copy`: the document does not live as long as the render.
  Result<Value> FromJson(const OrderedJson& json, bool request, bool copy, int depth = 0);

  // operators.cc, compare.cc
  Result<bool> Equal(const Value& a, const Value& b, int depth = 0);
  // <0, 0, >0; fails for types Python does not order.
  Result<int> Order(const Value& a, const Value& b, int depth = 0);
  Result<bool> Contains(const Value& container, const Value& item);
  Result<Value> Arithmetic(BinaryOp op, const Value& a, const Value& b);
  Result<Value> Repeat(const Value& sequence, int64_t times);

  // A float as it is printed.
  std::string FloatText(const Value& value) const;

  // print.cc
  // Python's str(): always a text.
  Result<const Text*> ToText(const Value& value);
  Result<const Text*> Repr(const Value& value);

  // access.cc
  Result<Value> GetAttribute(const Value& object, std::string_view name);
  Result<Value> GetItem(const Value& object, const Value& key);
  Result<Value> Slice(const Value& object, const Value& start, const Value& stop,
                      const Value& step);
  // The elements of anything iterable; a generator's are used up. `failure` takes what the
  // generator raises at its end; without it that is raised here.
  Result<std::span<const Value>> Iterate(const Value& value,
                                         const std::string_view** failure = nullptr);
  Result<int64_t> Length(const Value& value);
  // "a.b.0" walked from `value`, as `map(attribute=...)` takes it.
  Result<Value> AttributePath(const Value& value, const Value& path);

  // calls.cc
  Result<Value> CallValue(const Value& callee, std::span<const Value> args,
                          std::span<const KeywordValue> kwargs);
  Result<Value> CallBuiltin(const Builtin& builtin, Call& call);
  // A filter or test given by name in another filter's arguments.
  Result<Value> CallFilter(const Value& name, const Value& self, std::span<const Value> args,
                           std::span<const KeywordValue> kwargs);
  Result<bool> CallTest(const Value& name, const Value& self, std::span<const Value> args,
                        std::span<const KeywordValue> kwargs);
  Result<Value> LoopAttribute(Loop& loop, std::string_view name);

 private:
  enum class Flow : uint8_t { kNormal, kBreak, kContinue };
  class Deeper {
   public:
    explicit Deeper(Interpreter& i) : interpreter_(i) { ++interpreter_.depth_; }
    ~Deeper() { --interpreter_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    Interpreter& interpreter_;
  };
  struct EvaluatedArgs {
    std::vector<Value> args;
    std::vector<KeywordValue> kwargs;
  };

  Error LimitError() const;
  const Text* NewJsonText(std::string_view text, bool request, bool copy);
  Result<void> Enter(Position position);  // a step, one level deeper

  // statements.cc
  Result<Flow> RunBlock(Block block, Scope* scope);
  Result<Flow> RunStatement(const Statement& statement, Scope* scope);
  Result<Flow> RunIf(const Statement& statement, Scope* scope);
  Result<void> RunFor(const Statement& statement, Scope* scope);
  Result<void> RunLoop(const Statement& statement, const Value& iterable, Scope* outer, int depth0);
  Result<bool> NextItem(Loop& loop);
  Result<Value> PullItem(Loop& loop);
  Result<Value> PeekItem(Loop& loop);
  Result<void> CountRest(Loop& loop);
  Result<void> RunWith(const Statement& statement, Scope* scope);
  Result<void> RunCallBlock(const Statement& statement, Scope* scope);
  // What a block renders, as a value.
  Result<Value> Capture(Block block, Scope* scope);
  Result<void> Assign(const Expr& target, const Value& value, Scope* scope);
  Result<void> AssignNamespace(const Expr& target, const Value& value, Scope* scope);
  Scope* NewScope(Scope* parent);
  void Set(Scope* scope, NameId name, const Value& value);
  Value Lookup(NameId name, const Scope* scope);

  // expressions.cc
  Result<Value> Evaluate(const Expr& expr, Scope* scope);
  Result<Value> EvaluateInner(const Expr& expr, Scope* scope);
  Result<Value> EvaluateConcat(const Expr& expr, Scope* scope);
  Result<Value> EvaluateCompare(const Expr& expr, Scope* scope);
  Result<Value> EvaluateSlice(const Expr& expr, Scope* scope);
  Result<Value> EvaluateDict(const Expr& expr, Scope* scope);
  Result<Value> EvaluateItems(const Expr& expr, Scope* scope, ListKind kind);
  Result<Value> EvaluateCall(const Expr& expr, Scope* scope);
  // A filter or a test: `what` names which, for the error.
  Result<Value> EvaluateBuiltin(const Expr& expr, Scope* scope, std::string_view what);
  Result<void> EvaluateArgs(const CallArgs& call, Scope* scope, EvaluatedArgs* out);
  Result<Value> CallMacro(const Callable& callable, std::span<const Value> args,
                          std::span<const KeywordValue> kwargs);
  Result<void> BindMacro(const Callable& callable, std::span<const Value> args,
                         std::span<const KeywordValue> kwargs, Scope* scope);
  Result<Value> CallLoop(Loop& loop, std::span<const Value> args);

  Result<void> ReprInto(const Value& value, TextBuilder* out, bool* request, int depth);

  const Names& names_;
  const KnownNames& known_;
  const RenderOptions& options_;
  Arena arena_;
  TextBuilder output_;
  TextBuilder* out_;
  std::vector<Value> context_;  // by NameId
  Value body_;
  Position position_;
  uint64_t steps_ = 0;
  int depth_ = 0;
  std::optional<std::string> refusal_;
  std::vector<std::string> spellings_;  // of floats that the request spelled its own way
};

}  // namespace skerry::engine::jinja
