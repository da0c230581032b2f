#include "engine/grammar/answer.h"

#include <utility>

#include "engine/grammar/internal/ebnf_reader.h"
#include "engine/grammar/internal/nfa.h"
#include "engine/grammar/internal/regex_syntax.h"
#include "engine/grammar/internal/schema_compiler.h"
#include "engine/grammar/vocabulary.h"

namespace skerry::engine {
namespace {

using internal::ExprId;
using internal::GrammarSource;

std::string Bytes(const Marker& marker) {
  std::string bytes;
  for (const MarkerPart& part : marker) bytes += part.control ? ControlText(part.text) : part.text;
  return bytes;
}

// Any text.
ExprId FreeText(GrammarSource& source) { return source.Until({}, {}, /*may_end=*/true); }

Result<ExprId> AddText(const TextRule& rule, GrammarSource& source) {
  switch (rule.kind) {
    case TextRule::Kind::kFree:
      return FreeText(source);
    case TextRule::Kind::kAnyObject:
      return internal::JsonValues(source).AnyObject();
    case TextRule::Kind::kJsonSchema:
      return internal::AddJsonSchema(rule.text, source);
    case TextRule::Kind::kRegex:
      return internal::ParseRegexSyntax(rule.text, internal::RegexMeaning::kWhole, source);
    case TextRule::Kind::kEbnf:
      return internal::ReadEbnf(rule.text, source);
    case TextRule::Kind::kChoice:
      if (rule.choices.empty()) return Error(ErrorCode::kInvalidArgument, "a choice of nothing");
      return source.Literals(rule.choices);
  }
  return Error(ErrorCode::kInternal, "a text rule of no kind");
}

// Text that does not begin as a call does, or none at all.
ExprId TextUnlikeCalls(const std::vector<std::string>& heads, GrammarSource& source) {
  std::vector<internal::CharSet::Range> first;
  for (const std::string& head : heads) {
    const auto byte = static_cast<uint8_t>(head.empty() ? 0 : head[0]);
    if (byte < 0x80) first.push_back({byte, byte});
  }
  const ExprId other = source.Chars(internal::CharSet(std::move(first)).Complement());
  return source.Optional(source.Sequence({other, FreeText(source)}));
}

Result<ExprId> AddCalls(const CallShape& shape, GrammarSource& source) {
  if (shape.tools.empty()) return Error(ErrorCode::kInvalidArgument, "calls of no tool");
  std::vector<ExprId> tools;
  std::vector<std::string> heads;
  for (size_t i = 0; i < shape.tools.size(); ++i) {
    const CallShape::Tool& tool = shape.tools[i];
    TextRule arguments;
    arguments.kind =
        tool.parameters.empty() ? TextRule::Kind::kAnyObject : TextRule::Kind::kJsonSchema;
    arguments.text = tool.parameters;
    const ExprId object = TRY(AddText(arguments, source).WithContext("tool " + std::to_string(i)));
    heads.push_back(Bytes(tool.head));
    tools.push_back(
        source.Sequence({source.Text(heads.back()), object, source.Text(Bytes(tool.tail))}));
  }
  ExprId calls = source.Choice(std::move(tools));
  if (shape.several) calls = source.Separated(calls, source.Text(Bytes(shape.separator)));
  calls = source.Sequence({calls, source.Text(Bytes(shape.end))});
  const std::string begin = Bytes(shape.begin);
  if (begin.empty()) {
    if (shape.required) return calls;
    return source.Choice({calls, TextUnlikeCalls(heads, source)});
  }
  if (shape.text_before) return source.Until({begin}, {calls}, /*may_end=*/!shape.required);
  const ExprId begun = source.Sequence({source.Text(begin), calls});
  if (shape.required) return begun;
  return source.Choice({begun, TextUnlikeCalls({begin}, source)});
}

// White space between the end of thoughts and what follows.
ExprId Gap(GrammarSource& source) {
  return source.Repeat(source.Chars(internal::CharSet({{'\n', '\n'}, {' ', ' '}})), 0, 3);
}

// A separator that leaves no trace in a text: lengths stand before what they measure.
void Append(std::string& key, std::string_view part) {
  key += std::to_string(part.size());
  key += ':';
  key += part;
}

}  // namespace

Result<Grammar> CompileText(const TextRule& rule) {
  GrammarSource source;
  const ExprId root = TRY(AddText(rule, source));
  source.SetRoot(root);
  return internal::CompileSource(source);
}

Result<Grammar> CompileAnswer(const AnswerShape& shape) {
  GrammarSource source;
  Result<ExprId> made = shape.calls ? AddCalls(*shape.calls, source) : AddText(shape.text, source);
  ExprId answer = TRY(std::move(made));
  const std::string thoughts_end = Bytes(shape.thoughts_end);
  const std::string thoughts_begin = Bytes(shape.thoughts_begin);
  if (!thoughts_end.empty()) {
    const ExprId thoughts = source.Until({thoughts_end}, {Gap(source)}, /*may_end=*/false);
    answer = thoughts_begin.empty()
                 ? source.Sequence({thoughts, answer})
                 : source.Sequence({source.Optional(source.Sequence(
                                        {Gap(source), source.Text(thoughts_begin), thoughts})),
                                    answer});
  }
  source.SetRoot(answer);
  return internal::CompileSource(source);
}

std::string KeyOf(const TextRule& rule) {
  std::string key = "text " + std::to_string(static_cast<int>(rule.kind));
  Append(key, rule.text);
  for (const std::string& choice : rule.choices) Append(key, choice);
  return key;
}

std::string KeyOf(const AnswerShape& shape) {
  std::string key = "answer ";
  Append(key, Bytes(shape.thoughts_begin));
  Append(key, Bytes(shape.thoughts_end));
  if (!shape.calls) {
    Append(key, KeyOf(shape.text));
    return key;
  }
  const CallShape& calls = *shape.calls;
  for (const Marker* marker : {&calls.begin, &calls.separator, &calls.end}) {
    Append(key, Bytes(*marker));
  }
  key += calls.required ? 'r' : '-';
  key += calls.several ? 's' : '-';
  key += calls.text_before ? 't' : '-';
  for (const CallShape::Tool& tool : calls.tools) {
    Append(key, Bytes(tool.head));
    Append(key, tool.parameters);
    Append(key, Bytes(tool.tail));
  }
  return key;
}

}  // namespace skerry::engine
