// How models mark what they think before they answer.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/tokenizer/tokenizer.h"

namespace skerry::engine {

enum class ReasoningNotation {
  kNone,
  kMistral,  // [THINK]...[/THINK]
  kThink,    // <think>...</think>
  kHarmony,  // the channel "analysis" of gpt-oss
};

std::string_view ReasoningNotationName(ReasoningNotation notation);

// By vLLM's name of a parser ("mistral", "qwen3", "deepseek_r1", "glm45", "openai_gptoss", ...) or
// "none"; kInvalidArgument listing the known ones.
Result<ReasoningNotation> ParseReasoningParser(std::string_view name);

// The notation of a checkpoint's vocabulary and chat template (empty: there is none).
ReasoningNotation RecognizeReasoning(const Tokenizer& tokenizer, std::string_view chat_template);

// Where thoughts begin and end; empty for notations that are not just two marks.
struct ReasoningMarks {
  std::string_view begin;
  std::string_view end;
};
ReasoningMarks MarksOf(ReasoningNotation notation);

// Tokens the notation is made of.
std::vector<std::string_view> ReasoningTokens(ReasoningNotation notation);

}  // namespace skerry::engine
