#include "engine/grammar/answer.h"

#include <algorithm>
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

// The parts in front of the first pattern.
Marker FixedPart(const Marker& marker) {
  const auto end =
      std::ranges::find_if(marker, [](const MarkerPart& part) { return !part.pattern.empty(); });
  return {marker.begin(), end};
}

Result<ExprId> Spell(const Marker& marker, GrammarSource& source) {
  std::vector<ExprId> parts;
  for (const MarkerPart& part : marker) {
    if (part.pattern.empty()) {
      parts.push_back(source.Text(Bytes({part})));
      continue;
    }
    const ExprId pattern =
        TRY(internal::ParseRegexSyntax(part.pattern, internal::RegexMeaning::kWhole, source));
    parts.push_back(pattern);
  }
  return source.Sequence(std::move(parts));
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

// Text that does not begin as a call does, nor with white space, behind which one could be seen; or
// none at all.
ExprId TextUnlikeCalls(const std::vector<std::string>& heads, GrammarSource& source) {
  std::vector<internal::CharSet::Range> first = {{'\t', '\n'}, {'\r', '\r'}, {' ', ' '}};
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
    heads.push_back(Bytes(FixedPart(tool.head)));
    const ExprId head = TRY(Spell(tool.head, source));
    const ExprId tail = TRY(Spell(tool.tail, source));
    tools.push_back(source.Sequence({head, object, tail}));
  }
  ExprId calls = source.Choice(std::move(tools));
  const ExprId separator = TRY(Spell(shape.separator, source));
  const ExprId end = TRY(Spell(shape.end, source));
  if (shape.several) calls = source.Separated(calls, separator);
  const Marker fixed = FixedPart(shape.begin);
  const Marker rest(shape.begin.begin() + static_cast<ptrdiff_t>(fixed.size()), shape.begin.end());
  const ExprId rest_of_begin = TRY(Spell(rest, source));
  calls = source.Sequence({rest_of_begin, calls, end});
  const std::string begin = Bytes(fixed);
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

// A call, or a text that obeys the rule.
Result<ExprId> AddCallsOrText(CallShape calls, const TextRule& rule, GrammarSource& source) {
  calls.required = true;
  calls.text_before = false;
  const ExprId call = TRY(AddCalls(calls, source));
  const ExprId text = TRY(AddText(rule, source));
  return source.Choice({call, text});
}

Result<ExprId> AddAnswer(const AnswerShape& shape, GrammarSource& source) {
  if (!shape.calls) return AddText(shape.text, source);
  if (shape.calls->required || shape.text.kind == TextRule::Kind::kFree) {
    return AddCalls(*shape.calls, source);
  }
  return AddCallsOrText(*shape.calls, shape.text, source);
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
  ExprId answer = TRY(AddAnswer(shape, source));
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
  const auto append = [&key](const Marker& marker) {
    key += std::to_string(marker.size()) + " ";
    for (const MarkerPart& part : marker) {
      Append(key, Bytes({part}));
      Append(key, part.pattern);
    }
  };
  append(shape.thoughts_begin);
  append(shape.thoughts_end);
  Append(key, KeyOf(shape.text));
  if (!shape.calls) return key;
  const CallShape& calls = *shape.calls;
  append(calls.begin);
  append(calls.separator);
  append(calls.end);
  key += calls.required ? 'r' : '-';
  key += calls.several ? 's' : '-';
  key += calls.text_before ? 't' : '-';
  for (const CallShape::Tool& tool : calls.tools) {
    append(tool.head);
    Append(key, tool.parameters);
    append(tool.tail);
  }
  return key;
}

}  // namespace skerry::engine
