// Filters, tests, methods and global functions: one table each, one way of passing arguments.
#pragma once

#include <span>
#include <string_view>

#include "appliance/base/result.h"
#include "engine/jinja/internal/value.h"

namespace skerry::engine::jinja {

class Interpreter;

struct KeywordValue {
  std::string_view name;
  Value value;
};

inline constexpr size_t kMaxParams = 6;

struct Call {
  Value self;  // what a filter, test or method is applied to
  std::span<const Value> args;
  std::span<const KeywordValue> kwargs;
  Value arg[kMaxParams];  // by the builtin's parameters; kMissing where not given
};

struct Builtin {
  std::string_view name;
  // Names of the parameters, separated by spaces; "_" can only be given by place. "*": the builtin
  // reads args and kwargs itself.
  std::string_view params;
  int required = 0;
  Result<Value> (*run)(Interpreter&, Call&) = nullptr;
};

// nullptr for a name that is none.
const Builtin* FindFilter(std::string_view name);
const Builtin* FindTest(std::string_view name);
const Builtin* FindGlobal(std::string_view name);
const Builtin* FindMethod(const Value& object, std::string_view name);
// Whether Python's type has such a method, which the sandbox keeps from templates.
bool IsRefusedMethod(const Value& object, std::string_view name);

// Tables, by the file they are in.
std::span<const Builtin> TextFilters();
std::span<const Builtin> SequenceFilters();
std::span<const Builtin> SelectFilters();
std::span<const Builtin> JsonFilters();
std::span<const Builtin> TextMethods();

}  // namespace skerry::engine::jinja
