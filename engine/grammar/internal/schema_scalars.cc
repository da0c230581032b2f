// Numbers and strings of a schema.
#include <cstdlib>
#include <optional>
#include <utility>

#include "engine/grammar/internal/schema_compiler.h"
#include "engine/grammar/internal/string_formats.h"

namespace skerry::engine::internal {
namespace {

// A bound: `inclusive` and `exclusive` are the names of its two keywords. In draft 4 the latter is
// true or false.
Result<void> ReadBound(const OrderedJson& schema, const char* inclusive, const char* exclusive,
                       bool is_least, const std::string& pointer, std::optional<std::string>& bound,
                       bool& strict) {
  const auto value = schema.find(inclusive);
  const auto other = schema.find(exclusive);
  for (const auto& [found, name] : {std::pair{value, inclusive}, std::pair{other, exclusive}}) {
    if (found == schema.end() || found->is_number()) continue;
    if (name == exclusive && found->is_boolean()) continue;
    return SchemaError(pointer, "'" + std::string(name) + "' is no number");
  }
  if (value != schema.end()) bound = value->dump();
  if (other == schema.end()) return {};
  if (other->is_boolean()) {
    strict = other->get<bool>();
    return {};
  }
  const bool tighter = value == schema.end() || (is_least ? *other >= *value : *other <= *value);
  if (tighter) {
    bound = other->dump();
    strict = true;
  }
  return {};
}

struct FormatBounds {
  std::string_view format;
  const char* least;
  const char* most;
};
constexpr FormatBounds kNumberFormats[] = {{"int32", "-2147483648", "2147483647"},
                                           {"uint32", "0", "4294967295"},
                                           {"int64", nullptr, nullptr},
                                           {"uint64", "0", nullptr},
                                           {"float", nullptr, nullptr},
                                           {"double", nullptr, nullptr}};

// Bounds that a format adds to those given: the tighter ones count.
Result<void> AddFormat(const OrderedJson& schema, const std::string& pointer,
                       NumberBounds& bounds) {
  const auto format = schema.find("format");
  if (format == schema.end()) return {};
  for (const FormatBounds& known : kNumberFormats) {
    if (*format != std::string(known.format)) continue;
    const auto number = [](const std::string& text) { return std::strtod(text.c_str(), nullptr); };
    if (known.least && (!bounds.least || number(*bounds.least) < number(known.least))) {
      bounds.least = known.least;
      bounds.above_least = false;
    }
    if (known.most && (!bounds.most || number(*bounds.most) > number(known.most))) {
      bounds.most = known.most;
      bounds.below_most = false;
    }
    return {};
  }
  return SchemaError(pointer, "'format' " + format->dump() + " of numbers is not supported");
}

}  // namespace

Result<ExprId> SchemaCompiler::Number(const OrderedJson& schema, bool whole,
                                      const std::string& pointer) {
  NumberBounds bounds;
  TRY(ReadBound(schema, "minimum", "exclusiveMinimum", true, pointer, bounds.least,
                bounds.above_least));
  TRY(ReadBound(schema, "maximum", "exclusiveMaximum", false, pointer, bounds.most,
                bounds.below_most));
  if (schema.contains("format")) {
    const SchemaTypes types = TRY(TypesOf(schema, pointer));
    // Beside strings, it is about those.
    if (!(types & TypeBit(SchemaType::kString))) TRY(AddFormat(schema, pointer, bounds));
  }
  return whole ? json_.Integer(bounds) : json_.Number(bounds);
}

Result<std::shared_ptr<const ByteDfa>> SchemaCompiler::StringContent(const OrderedJson& schema,
                                                                     const std::string& pointer) {
  std::shared_ptr<const ByteDfa> content;
  const auto narrow = [&](std::shared_ptr<const ByteDfa> dfa) -> Result<void> {
    if (content) {
      ByteDfa both = TRY(Intersection(*content, *dfa));
      dfa = TRY(Counted(std::move(both), pointer));
    }
    content = std::move(dfa);
    return {};
  };
  if (const auto pattern = schema.find("pattern"); pattern != schema.end()) {
    if (!pattern->is_string()) return SchemaError(pointer, "'pattern' is no text");
    std::shared_ptr<const ByteDfa> dfa =
        TRY(PatternDfa(pattern->get_ref<const std::string&>(), RegexMeaning::kSearch,
                       PointerTo(pointer, "pattern")));
    TRY(narrow(std::move(dfa)));
  }
  if (const auto format = schema.find("format"); format != schema.end()) {
    const std::string name = format->is_string() ? format->get<std::string>() : "";
    const std::string known = PatternOfFormat(name);
    if (known.empty() && !IsFormatAnnotation(name)) {
      return SchemaError(pointer, "'format' " + format->dump() + " is not supported");
    }
    if (!known.empty()) {
      std::shared_ptr<const ByteDfa> dfa =
          TRY(PatternDfa(known, RegexMeaning::kWhole, PointerTo(pointer, "format")));
      TRY(narrow(std::move(dfa)));
    }
  }
  if (!content) return content;
  if (schema.contains("minLength") || schema.contains("maxLength")) {
    const uint32_t least = TRY(CountOr(schema, "minLength", 0, pointer));
    const uint32_t most = TRY(CountOr(schema, "maxLength", kUnbounded, pointer));
    GrammarSource lengths;
    lengths.SetRoot(lengths.Repeat(lengths.Chars(CharSet::All()), least, most));
    ByteDfa made = TRY(MakeDfa(lengths).WithContext("schema: at '" + pointer + "'"));
    std::shared_ptr<const ByteDfa> dfa = TRY(Counted(std::move(made), pointer));
    TRY(narrow(std::move(dfa)));
  }
  if (content->IsEmpty()) {
    return SchemaError(pointer, "no text satisfies pattern, format and lengths together");
  }
  return content;
}

Result<ExprId> SchemaCompiler::String(const OrderedJson& schema, const std::string& pointer) {
  const uint32_t least = TRY(CountOr(schema, "minLength", 0, pointer));
  const uint32_t most = TRY(CountOr(schema, "maxLength", kUnbounded, pointer));
  if (least > most) return SchemaError(pointer, "'minLength' is above 'maxLength'");
  std::shared_ptr<const ByteDfa> content = TRY(StringContent(schema, pointer));
  return content ? json_.StringOf(std::move(content)) : json_.String(least, most);
}

Result<std::shared_ptr<const ByteDfa>> SchemaCompiler::PatternDfa(const std::string& pattern,
                                                                  RegexMeaning meaning,
                                                                  const std::string& pointer) {
  std::shared_ptr<const ByteDfa>& known = dfas_[{meaning, pattern}];
  if (known) return known;
  GrammarSource pattern_source;
  Result<ExprId> root = ParseRegexSyntax(pattern, meaning, pattern_source);
  if (!root) return std::move(root).error().WithContext("schema: at '" + pointer + "'");
  pattern_source.SetRoot(*root);
  ByteDfa dfa = TRY(MakeDfa(pattern_source).WithContext("schema: at '" + pointer + "': pattern"));
  known = TRY(Counted(std::move(dfa), pointer));
  return known;
}

Result<std::shared_ptr<const ByteDfa>> SchemaCompiler::Counted(ByteDfa dfa,
                                                               const std::string& pointer) {
  n_dfa_states_ += dfa.edges.size();
  if (n_dfa_states_ > kMaxDfaStates) {
    return Error(ErrorCode::kExhausted,
                 "schema: at '" + pointer + "': patterns and formats are too large together");
  }
  return std::make_shared<const ByteDfa>(std::move(dfa));
}

}  // namespace skerry::engine::internal
