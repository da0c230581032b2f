// Arrays and objects of a schema.
#include <algorithm>
#include <utility>

#include "engine/grammar/internal/schema_compiler.h"

namespace skerry::engine::internal {
namespace {

ByteDfa AnyText() {
  GrammarSource source;
  source.SetRoot(source.Star(source.Chars(CharSet::All())));
  return MakeDfa(source).value();
}

}  // namespace

Result<ExprId> SchemaCompiler::Array(const OrderedJson& schema, const std::string& pointer) {
  const uint32_t least = TRY(CountOr(schema, "minItems", 0, pointer));
  uint32_t most = TRY(CountOr(schema, "maxItems", kUnbounded, pointer));
  if (least > most) return SchemaError(pointer, "'minItems' is above 'maxItems'");
  // Until draft 2020-12, `items` was what `prefixItems` is, and `additionalItems` what it is now.
  const bool old = schema.contains("items") && schema["items"].is_array();
  const char* first_keyword = old ? "items" : "prefixItems";
  const char* rest_keyword = old ? "additionalItems" : "items";
  std::vector<ExprId> first;
  if (const auto list = schema.find(first_keyword); list != schema.end()) {
    if (!list->is_array()) return SchemaError(pointer, "'prefixItems' is no list");
    const std::string place = PointerTo(pointer, first_keyword);
    for (size_t i = 0; i < list->size() && i < most; ++i) {
      const ExprId item = TRY(Compile((*list)[i], PointerTo(place, std::to_string(i))));
      first.push_back(item);
    }
  }
  const auto rest_schema = schema.find(rest_keyword);
  const bool has_rest = rest_schema != schema.end();
  const auto n_first = static_cast<uint32_t>(first.size());
  if (!has_rest && n_first > 0 && least <= n_first) most = std::min(most, n_first);
  if (has_rest && *rest_schema == false) most = std::min(most, n_first);
  if (least > most) return SchemaError(pointer, "'minItems' is more than there can be");
  if (most == 0) return json_.Text("[]");
  ExprId rest = source().Empty();
  if (most > n_first) rest = json_.AnyValue();
  if (most > n_first && has_rest) {
    rest = TRY(Compile(*rest_schema, PointerTo(pointer, rest_keyword)));
  }
  if (n_first == 0) return json_.Array(Repeated(rest, std::max(least, 1u), most), least == 0);
  // From the last to the first: what may follow so many elements.
  ExprId behind = source().Empty();
  if (most > n_first) {
    behind = source().Repeat(source().Sequence({json_.Comma(), rest}),
                             least > n_first ? least - n_first : 0,
                             most == kUnbounded ? kUnbounded : most - n_first);
  }
  for (uint32_t i = n_first; i-- > 1;) {
    behind = source().Sequence({json_.Comma(), first[i], behind});
    if (i >= least) behind = source().Optional(behind);
  }
  return json_.Array(source().Sequence({first[0], behind}), least == 0);
}

// `part` so many times, with commas between; at least once.
ExprId SchemaCompiler::Repeated(ExprId part, uint32_t least, uint32_t most) {
  if (least <= 1 && most == kUnbounded) return source().Separated(part, json_.Comma());
  if (most == 1) return part;
  // A rule, for it stands twice.
  const RuleId rule = source().AddRule("item");
  source().SetRule(rule, part);
  const ExprId item = source().Rule(rule);
  const ExprId more = source().Sequence({json_.Comma(), item});
  return source().Sequence(
      {item, source().Repeat(more, least - 1, most == kUnbounded ? kUnbounded : most - 1)});
}

Result<ByteDfa> SchemaCompiler::NamesDfa(const std::vector<std::string>& names) {
  GrammarSource names_source;
  names_source.SetRoot(names_source.Literals(names));
  return MakeDfa(names_source);
}

// Members whose keys match a pattern: the patterns' keys are added to `taken`.
Result<void> SchemaCompiler::PatternMembers(const OrderedJson& patterns, const std::string& pointer,
                                            std::vector<ExprId>& members,
                                            std::vector<ByteDfa>& taken) {
  constexpr size_t kMaxPatterns = 32;  // each is held against each
  if (!patterns.is_object()) return SchemaError(pointer, "is no object of schemas");
  if (patterns.size() > kMaxPatterns) {
    return SchemaError(pointer, "more than " + std::to_string(kMaxPatterns) + " patterns");
  }
  for (const auto& [pattern, schema] : patterns.items()) {
    const std::string place = PointerTo(pointer, pattern);
    const std::shared_ptr<const ByteDfa> keys =
        TRY(PatternDfa(pattern, RegexMeaning::kSearch, place));
    for (const ByteDfa& other : taken) {
      const ByteDfa both = TRY(Intersection(*keys, other));
      if (!both.IsEmpty()) {
        return SchemaError(place,
                           "a name that matches two patterns, or a pattern and a property, "
                           "is not supported");
      }
    }
    const ExprId value = TRY(Compile(schema, place));
    members.push_back(json_.Member(json_.StringOf(keys), value));
    taken.push_back(*keys);
  }
  return {};
}

// A key that none of `taken` has.
Result<ExprId> SchemaCompiler::OtherKey(const OrderedJson& schema,
                                        const std::vector<ByteDfa>& taken,
                                        const std::string& pointer) {
  const auto names = schema.find("propertyNames");
  const bool any = names == schema.end() || *names == true ||
                   *names == OrderedJson::object({{"type", "string"}});
  if (any && taken.empty()) return json_.String(0, kUnbounded);
  if (!any && taken.empty()) {
    OrderedJson keys = *names;
    if (keys.is_object() && !keys.contains("type")) keys["type"] = "string";
    return Compile(keys, PointerTo(pointer, "propertyNames"));
  }
  if (!any) {
    return SchemaError(pointer, "'propertyNames' together with named properties is not supported");
  }
  ByteDfa keys = AnyText();
  for (const ByteDfa& dfa : taken) keys = TRY(Difference(keys, dfa));
  std::shared_ptr<const ByteDfa> counted = TRY(Counted(std::move(keys), pointer));
  return json_.StringOf(std::move(counted));
}

// The properties that the schema names, in its order, and those that it only requires.
Result<SchemaCompiler::NamedMembers> SchemaCompiler::Named(const OrderedJson& schema,
                                                           const std::string& pointer) {
  NamedMembers named;
  std::vector<std::string> required;
  if (const auto list = schema.find("required"); list != schema.end()) {
    if (!list->is_array()) return SchemaError(pointer, "'required' is no list of names");
    for (const OrderedJson& name : *list) {
      if (!name.is_string()) return SchemaError(pointer, "'required' is no list of names");
      required.push_back(name.get<std::string>());
    }
  }
  const auto add = [&](const std::string& name, const OrderedJson& value,
                       const std::string& place) -> Result<void> {
    const bool needed = std::ranges::find(required, name) != required.end();
    if (value == false && !needed) return {};
    const ExprId compiled = TRY(Compile(value, place));
    named.members.push_back(json_.Member(json_.Text(JsonValues::Quote(name)), compiled));
    named.required.push_back(needed);
    named.n_required += needed ? 1 : 0;
    return {};
  };
  if (const auto properties = schema.find("properties"); properties != schema.end()) {
    if (!properties->is_object()) return SchemaError(pointer, "'properties' is no object");
    const std::string place = PointerTo(pointer, "properties");
    for (const auto& [name, value] : properties->items()) {
      named.names.push_back(name);
      TRY(add(name, value, PointerTo(place, name)));
    }
  }
  for (const std::string& name : required) {
    if (std::ranges::find(named.names, name) != named.names.end()) continue;
    const OrderedJson value = schema.value("additionalProperties", OrderedJson(true));
    if (value == false) {
      return SchemaError(pointer, "'" + name + "' is required, but not among the properties");
    }
    named.names.push_back(name);
    TRY(add(name, value, PointerTo(pointer, "additionalProperties")));
  }
  return named;
}

Result<ExprId> SchemaCompiler::Object(const OrderedJson& schema, const std::string& pointer) {
  NamedMembers named = TRY(Named(schema, pointer));
  std::vector<ByteDfa> taken;
  if (!named.names.empty()) {
    ByteDfa names = TRY(NamesDfa(named.names));
    taken.push_back(std::move(names));
  }
  std::vector<ExprId> others;
  if (const auto patterns = schema.find("patternProperties"); patterns != schema.end()) {
    TRY(PatternMembers(*patterns, PointerTo(pointer, "patternProperties"), others, taken));
  }
  const auto additional = schema.find("additionalProperties");
  const bool open = additional != schema.end() ? *additional != false
                                               : !schema.contains("properties") && others.empty();
  if (open) {
    const ExprId key = TRY(OtherKey(schema, taken, pointer));
    ExprId value = json_.AnyValue();
    if (additional != schema.end()) {
      value = TRY(Compile(*additional, PointerTo(pointer, "additionalProperties")));
    }
    others.push_back(json_.Member(key, value));
  }
  const uint32_t least = TRY(CountOr(schema, "minProperties", 0, pointer));
  const uint32_t most = TRY(CountOr(schema, "maxProperties", kUnbounded, pointer));
  if (named.members.empty()) {
    if (least > most || (least > 0 && others.empty())) {
      return SchemaError(pointer, "'minProperties' is more than there can be");
    }
    if (others.empty() || most == 0) return json_.Text("{}");
    const ExprId member = source().Choice(std::move(others));
    return json_.Object(Repeated(member, std::max(least, 1u), most), least == 0);
  }
  if (least > named.n_required) {
    return SchemaError(pointer, "'minProperties' beyond the required ones is not supported");
  }
  if (most < named.members.size() || (most != kUnbounded && !others.empty())) {
    return SchemaError(pointer, "'maxProperties' together with properties is not supported");
  }
  if (!others.empty()) {
    const ExprId member = source().Choice(std::move(others));
    named.members.push_back(source().Separated(member, json_.Comma()));
    named.required.push_back(false);
  }
  return json_.Object(source().Members(json_.Comma(), named.members, named.required),
                      /*may_be_empty=*/false);
}

}  // namespace skerry::engine::internal
