// From a JSON schema to expressions.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "appliance/base/result.h"
#include "engine/grammar/internal/byte_dfa.h"
#include "engine/grammar/internal/json_values.h"
#include "engine/grammar/internal/regex_syntax.h"
#include "engine/grammar/internal/schema_keywords.h"

namespace skerry::engine::internal {

// The documents of the schema in `text`. Errors as CompileJsonSchema.
Result<ExprId> AddJsonSchema(std::string_view text, GrammarSource& source);

// One document of schemas. Schemas are compiled where they stand; those that are referred to become
// rules, so that recursion is one.
class SchemaCompiler {
 public:
  SchemaCompiler(const OrderedJson& root, GrammarSource& source) : root_(root), json_(source) {}

  Result<ExprId> Compile(const OrderedJson& schema, const std::string& pointer);

 private:
  GrammarSource& source() { return json_.source(); }

  // schema_compiler.cc: references and combinations.
  Result<ExprId> CompileObject(const OrderedJson& schema, const std::string& pointer);
  Result<const OrderedJson*> Target(const OrderedJson& ref, const std::string& pointer) const;
  Result<ExprId> Reference(const OrderedJson& ref, const std::string& pointer);
  // `schema` without $ref and allOf: all that they say in one.
  Result<OrderedJson> Flat(const OrderedJson& schema, const std::string& pointer, int depth);
  Result<ExprId> AnyOf(const OrderedJson& schema, const char* keyword, const std::string& pointer);
  Result<ExprId> Enumeration(const OrderedJson& schema, const OrderedJson& values,
                             const std::string& pointer);
  Result<ExprId> OfType(SchemaType type, const OrderedJson& schema, const std::string& pointer);

  // schema_scalars.cc
  Result<ExprId> Number(const OrderedJson& schema, bool whole, const std::string& pointer);
  Result<ExprId> String(const OrderedJson& schema, const std::string& pointer);
  // What the string's content must be; nothing when only lengths are given.
  Result<std::shared_ptr<const ByteDfa>> StringContent(const OrderedJson& schema,
                                                       const std::string& pointer);
  // The texts of a pattern; each pattern is made once.
  Result<std::shared_ptr<const ByteDfa>> PatternDfa(const std::string& pattern,
                                                    RegexMeaning meaning,
                                                    const std::string& pointer);
  // The table, or kExhausted when there are too many of them together.
  Result<std::shared_ptr<const ByteDfa>> Counted(ByteDfa dfa, const std::string& pointer);

  // schema_containers.cc
  Result<ExprId> Array(const OrderedJson& schema, const std::string& pointer);
  Result<ExprId> Object(const OrderedJson& schema, const std::string& pointer);
  ExprId Repeated(ExprId part, uint32_t least, uint32_t most);
  struct NamedMembers {
    std::vector<std::string> names;
    std::vector<ExprId> members;
    std::vector<bool> required;  // of members
    uint32_t n_required = 0;
  };
  Result<NamedMembers> Named(const OrderedJson& schema, const std::string& pointer);
  static Result<ByteDfa> NamesDfa(const std::vector<std::string>& names);
  Result<void> PatternMembers(const OrderedJson& patterns, const std::string& pointer,
                              std::vector<ExprId>& members, std::vector<ByteDfa>& taken);
  Result<ExprId> OtherKey(const OrderedJson& schema, const std::vector<ByteDfa>& taken,
                          const std::string& pointer);

  static constexpr size_t kMaxDfaStates = 1 << 16;

  const OrderedJson& root_;
  JsonValues json_;
  std::map<std::string, RuleId> rules_;  // by pointer
  std::map<std::pair<RegexMeaning, std::string>, std::shared_ptr<const ByteDfa>> dfas_;
  size_t n_dfa_states_ = 0;
  size_t n_compiled_ = 0;
  int depth_ = 0;
};

}  // namespace skerry::engine::internal
