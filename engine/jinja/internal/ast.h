// The parsed template: plain nodes in the template's arena, never changed after parsing, so that
// any number of threads may render from them.
#pragma once

#include <span>

#include "engine/jinja/internal/value.h"

namespace skerry::engine::jinja {

struct Builtin;
using NameId = uint32_t;

struct Position {
  uint32_t line = 1;
  uint32_t column = 1;  // in bytes, from 1
};

enum class ExprKind : uint8_t {
  kConst,
  kName,
  kBody,  // what a set or filter block has rendered
  kGetattr,
  kGetitem,
  kSlice,
  kCall,
  kFilter,
  kTest,
  kNot,
  kNegative,
  kPositive,
  kBinary,
  kConcat,
  kCompare,
  kAnd,
  kOr,
  kCond,
  kList,
  kTuple,
  kDict,
  kNamespaceTarget,  // `ns.name` on the left of `=`
};

enum class BinaryOp : uint8_t { kAdd, kSub, kMul, kDiv, kFloorDiv, kMod, kPow };
enum class CompareOp : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };

struct Expr;

struct Keyword {
  const Text* name;
  const Expr* value;
};

struct CallArgs {
  std::span<const Expr* const> args;
  std::span<const Keyword> kwargs;
  const Expr* dyn_args = nullptr;
  const Expr* dyn_kwargs = nullptr;
};

struct Comparison {
  CompareOp op;
  const Expr* right;
};

// One struct for all kinds: which fields are used is said beside them.
struct Expr {
  ExprKind kind;
  BinaryOp op = BinaryOp::kAdd;
  Position position;
  const Expr* a = nullptr;             // operand, callee, left side, condition of kCond
  const Expr* b = nullptr;             // right side, subscript, slice start, kCond's value
  const Expr* c = nullptr;             // slice end, kCond's other value (may be null)
  const Expr* d = nullptr;             // slice step
  Value value;                         // kConst
  NameId name = 0;                     // kName, kNamespaceTarget
  const Text* text = nullptr;          // attribute, or name of an unknown filter or test
  const Builtin* builtin = nullptr;    // kFilter, kTest
  const CallArgs* call = nullptr;      // kCall, kFilter, kTest
  std::span<const Expr* const> items;  // kConcat, kList, kTuple; kDict: key, value, key, ...
  std::span<const Comparison> comparisons;
};

enum class StatementKind : uint8_t {
  kData,
  kOutput,
  kIf,
  kFor,
  kSet,
  kSetBlock,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kWith,
  kScope,  // `generation`
  kBreak,
  kContinue,
};

struct Statement;
using Block = std::span<const Statement* const>;

struct Branch {
  const Expr* condition;  // null: else
  Block body;
};

struct Parameter {
  NameId id;
  const Text* name;
  const Expr* fallback;  // null: none
};

struct MacroInfo {
  const Text* name = nullptr;
  std::span<const Parameter> parameters;
  Block body;
  bool uses_varargs = false;
  bool uses_kwargs = false;
  bool uses_caller = false;
  bool names_caller = false;  // `caller` is among the parameters
};

struct Assignment {
  const Expr* target;
  const Expr* value;
};

struct Statement {
  StatementKind kind;
  bool recursive = false;
  Position position;
  const Text* data = nullptr;        // kData
  const Expr* expr = nullptr;        // kOutput, kSet's value, kFor's iterable, kCallBlock's call,
                                     // filter of kSetBlock and kFilterBlock
  const Expr* target = nullptr;      // kSet, kSetBlock, kFor
  const Expr* test = nullptr;        // kFor
  Block body;                        // all with a body
  Block else_body;                   // kFor
  std::span<const Branch> branches;  // kIf
  std::span<const Assignment> assignments;  // kWith
  const MacroInfo* macro = nullptr;         // kMacro, kCallBlock
  NameId name = 0;                          // kMacro
};

}  // namespace skerry::engine::jinja
