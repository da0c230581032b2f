#include "engine/api/internal/answer_shape.h"

#include <utility>

#include "engine/chat/json_text.h"
#include "engine/chat/reasoning.h"

namespace skerry::engine::internal {
namespace {

MarkerPart Text(std::string text) { return {false, std::move(text)}; }
MarkerPart Pattern(std::string pattern) { return {false, "", std::move(pattern)}; }
MarkerPart Gap() { return Pattern("[ \\n]{0,3}"); }

bool IsControl(const Tokenizer& tokenizer, std::string_view name) {
  const std::optional<TokenId> id = tokenizer.FindControl(name);
  return id && tokenizer.IsControl(*id);
}

// The token of that name where it is one that text cannot spell.
MarkerPart Tag(const Tokenizer& tokenizer, std::string_view name) {
  return {IsControl(tokenizer, name), std::string(name)};
}

MarkerPart ObjectHead(const std::string& name, std::string_view key) {
  return Text("{\"name\": " + QuoteJson(name) + ", \"" + std::string(key) + "\": ");
}

// Nothing for notations whose arguments are no JSON, and for kHarmony.
std::optional<CallShape> CallsOf(const Tokenizer& tokenizer, ToolNotation notation,
                                 const ChatWishes& wishes) {
  CallShape calls;
  calls.required = wishes.call_required;
  calls.several = wishes.several_calls;
  calls.text_before = !wishes.call_required;
  const auto add = [&](const ToolDefinition& tool, Marker head, Marker tail) {
    calls.tools.push_back({std::move(head), tool.parameters, std::move(tail)});
  };
  switch (notation) {
    case ToolNotation::kMistralList:
      calls.begin = {Tag(tokenizer, "[TOOL_CALLS]"), Gap(), Text("[")};
      calls.separator = {Text(","), Gap()};
      calls.end = {Text("]")};
      // Some write an id of their own behind the arguments.
      for (const ToolDefinition& tool : wishes.tools) {
        add(tool, {ObjectHead(tool.name, "arguments")},
            {Pattern("(, \"id\": \"[A-Za-z0-9]{1,40}\")?"), Text("}")});
      }
      return calls;
    case ToolNotation::kMistralNamed:
      calls.begin = calls.separator = {Tag(tokenizer, "[TOOL_CALLS]")};
      for (const ToolDefinition& tool : wishes.tools) {
        Marker head = {Text(tool.name)};
        if (IsControl(tokenizer, "[ARGS]")) head.push_back(Tag(tokenizer, "[ARGS]"));
        add(tool, std::move(head), {});
      }
      return calls;
    case ToolNotation::kHermes:
      calls.begin = {Tag(tokenizer, "<tool_call>")};
      calls.separator = {Gap(), Tag(tokenizer, "<tool_call>")};
      for (const ToolDefinition& tool : wishes.tools) {
        add(tool, {Gap(), ObjectHead(tool.name, "arguments")},
            {Text("}"), Gap(), Tag(tokenizer, "</tool_call>")});
      }
      return calls;
    case ToolNotation::kLlama:
      calls.separator = {Pattern(";[ \\n]{0,3}")};
      for (const ToolDefinition& tool : wishes.tools) {
        add(tool, {ObjectHead(tool.name, "parameters")}, {Text("}")});
      }
      return calls;
    case ToolNotation::kNone:
    case ToolNotation::kQwenXml:
    case ToolNotation::kGlm:
    case ToolNotation::kHarmony:
      break;
  }
  return std::nullopt;
}

// The calls that gpt-oss writes behind the forced "<|channel|>commentary to=functions.": one call
// ends its turn.
CallShape HarmonyCalls(const ChatWishes& wishes) {
  CallShape calls;
  calls.required = true;
  calls.several = false;
  for (const ToolDefinition& tool : wishes.tools) {
    Marker head;
    if (wishes.tools.size() > 1) {
      head = {Text(tool.name + " "), {true, "<|constrain|>"}, Text("json"), {true, "<|message|>"}};
    }
    calls.tools.push_back({std::move(head), tool.parameters, {}});
  }
  return calls;
}

// gpt-oss thinks in a channel of its own and answers in another: it is made to begin with the one,
// and the text that obeys the rule is all of the other.
ChatLayout HarmonyText(const Tokenizer& tokenizer, const TextRule& rule) {
  ChatLayout layout;
  layout.begin = tokenizer.Encode("analysis");
  layout.begin.insert(layout.begin.begin(), *tokenizer.FindControl("<|channel|>"));
  layout.begin.push_back(*tokenizer.FindControl("<|message|>"));
  layout.shape.emplace();
  layout.shape->thoughts_end = {{true, "<|end|>"},     {true, "<|start|>"}, Text("assistant"),
                                {true, "<|channel|>"}, Text("final"),       {true, "<|message|>"}};
  layout.shape->text = rule;
  return layout;
}

std::optional<ChatLayout> LayOutHarmony(const Tokenizer& tokenizer, const ChatWishes& wishes) {
  const bool free = wishes.text.kind == TextRule::Kind::kFree;
  ChatLayout layout;
  if (!wishes.tools.empty() && wishes.call_required) {
    layout.begins_as_call = true;
    layout.shape.emplace();
    layout.shape->calls = HarmonyCalls(wishes);
    return layout;
  }
  if (free) return layout;
  if (!wishes.tools.empty()) return std::nullopt;
  return HarmonyText(tokenizer, wishes.text);
}

}  // namespace

std::optional<ChatLayout> LayOutChat(const Tokenizer& tokenizer, const AnswerNotation& reading,
                                     const ChatWishes& wishes) {
  if (reading.reasoning == ReasoningNotation::kHarmony) return LayOutHarmony(tokenizer, wishes);
  const bool free = wishes.text.kind == TextRule::Kind::kFree;
  ChatLayout layout;
  if (wishes.tools.empty() && free) return layout;
  AnswerShape shape;
  if (!wishes.tools.empty()) {
    shape.calls = CallsOf(tokenizer, reading.tools, wishes);
    if (!shape.calls) {
      layout.begins_as_call = wishes.call_required;
      if (!free && !wishes.call_required) return std::nullopt;
      return layout;
    }
  }
  shape.text = wishes.text;
  const ReasoningMarks marks = MarksOf(reading.reasoning);
  if (!marks.end.empty()) {
    shape.thoughts_end = {Tag(tokenizer, marks.end)};
    if (!reading.starts_inside) shape.thoughts_begin = {Tag(tokenizer, marks.begin)};
  }
  layout.shape = std::move(shape);
  return layout;
}

}  // namespace skerry::engine::internal
