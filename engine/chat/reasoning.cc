#include "engine/chat/reasoning.h"

#include <string>

namespace skerry::engine {

std::string_view ReasoningNotationName(ReasoningNotation notation) {
  switch (notation) {
    case ReasoningNotation::kNone:
      return "none";
    case ReasoningNotation::kMistral:
      return "mistral";
    case ReasoningNotation::kThink:
      return "think";
    case ReasoningNotation::kHarmony:
      return "harmony";
  }
  return "none";
}

Result<ReasoningNotation> ParseReasoningParser(std::string_view name) {
  struct Known {
    std::string_view name;
    ReasoningNotation notation;
  };
  static constexpr Known kKnown[] = {
      {"mistral", ReasoningNotation::kMistral},       {"deepseek_r1", ReasoningNotation::kThink},
      {"qwen3", ReasoningNotation::kThink},           {"glm45", ReasoningNotation::kThink},
      {"openai_gptoss", ReasoningNotation::kHarmony}, {"none", ReasoningNotation::kNone},
  };
  std::string all = "auto";
  for (const Known& known : kKnown) {
    if (known.name == name) return known.notation;
    all += ", " + std::string(known.name);
  }
  return Error(ErrorCode::kInvalidArgument,
               "parser '" + std::string(name.substr(0, 64)) + "' is not known; known are " + all);
}

ReasoningNotation RecognizeReasoning(const Tokenizer& tokenizer, std::string_view chat_template) {
  const auto taught = [&](ReasoningNotation notation) {
    const ReasoningMarks marks = MarksOf(notation);
    return chat_template.find(marks.begin) != std::string_view::npos ||
           chat_template.find(marks.end) != std::string_view::npos;
  };
  const auto known = [&](ReasoningNotation notation) {
    for (const std::string_view name : ReasoningTokens(notation)) {
      if (!tokenizer.FindControl(name)) return false;
    }
    return true;
  };
  using enum ReasoningNotation;
  if (known(kHarmony) &&
      (chat_template.empty() || chat_template.find("<|channel|>") != std::string_view::npos)) {
    return kHarmony;
  }
  // A vocabulary with both tokens is a thinking model's, whether its template shows them or leaves
  // them to the model. Without tokens only the template says that the text has a meaning.
  for (const ReasoningNotation notation : {kMistral, kThink}) {
    if (known(notation)) return notation;
  }
  for (const ReasoningNotation notation : {kMistral, kThink}) {
    if (taught(notation)) return notation;
  }
  return kNone;
}

ReasoningMarks MarksOf(ReasoningNotation notation) {
  switch (notation) {
    case ReasoningNotation::kMistral:
      return {"[THINK]", "[/THINK]"};
    case ReasoningNotation::kThink:
      return {"<think>", "</think>"};
    case ReasoningNotation::kNone:
    case ReasoningNotation::kHarmony:
      break;
  }
  return {};
}

std::vector<std::string_view> ReasoningTokens(ReasoningNotation notation) {
  if (notation == ReasoningNotation::kHarmony) {
    return {"<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>"};
  }
  const ReasoningMarks marks = MarksOf(notation);
  if (marks.begin.empty()) return {};
  return {marks.begin, marks.end};
}

}  // namespace skerry::engine
