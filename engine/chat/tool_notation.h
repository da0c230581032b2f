// The notations that models were trained to call tools in.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"

namespace skerry::engine {

enum class ToolNotation {
  kNone,
  kMistralList,   // [TOOL_CALLS][{"name": ..., "arguments": {...}}, ...]: versions 2 to 7
  kMistralNamed,  // [TOOL_CALLS]name[ARGS]{...}[TOOL_CALLS]...: version 11 and later
  kHermes,        // <tool_call>{"name": ..., "arguments": {...}}</tool_call>: Hermes, Qwen
  kLlama,         // {"name": ..., "parameters": {...}} as the whole answer: Llama 3
  kQwenXml,       // <tool_call><function=NAME><parameter=KEY>...: Qwen3-Coder, Qwen 3.5
  kGlm,           // <tool_call>NAME<arg_key>KEY</arg_key><arg_value>...: GLM 4.5 and later
  kHarmony,       // messages "to=functions.NAME" of gpt-oss
};

std::string_view ToolNotationName(ToolNotation notation);

// By vLLM's name of a parser ("hermes", "qwen3_coder", "openai", ...) or "none"; kInvalidArgument
// listing the known ones. Its "mistral" stands for both of Mistral's: `mistral_named` says which.
Result<ToolNotation> ParseToolCallParser(std::string_view name, bool mistral_named);

// The notation that a chat template teaches; kNone when it is none of these.
ToolNotation RecognizeNotation(std::string_view chat_template);

// Control tokens the notation is made of. They may be generated where tools are offered.
std::vector<std::string_view> NotationTokens(ToolNotation notation);

// The beginning of an answer that is a call of the tool `name`, or of any tool when it is empty:
// control tokens by name, and text between them.
struct NotationPart {
  bool control = false;
  std::string text;
};
std::vector<NotationPart> ForcedCall(ToolNotation notation, std::string_view name);

}  // namespace skerry::engine
