// Bodies of OpenAI's endpoints, read strictly: a field of the wrong type or with a value that
// cannot be honoured is refused by name; fields that do not change the answer are ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "appliance/http/error.h"
#include "engine/chat/message.h"
#include "engine/grammar/answer.h"
#include "engine/sampler/params.h"

namespace skerry::engine {

// What the checkpoint (generation_config.json) or the operator wants where a request says nothing.
struct SamplingDefaults {
  double temperature = 1.0;
  double top_p = 1.0;
  int32_t top_k = 0;
};

struct CommonRequest {
  std::string model;  // empty: not given
  bool stream = false;
  std::optional<int64_t> max_tokens;  // empty: the rest of the context
  std::optional<uint64_t> seed;       // empty: random
  SamplingParams sampling;            // without seed and bad words
  std::vector<std::string> stop;
  std::vector<TokenId> stop_token_ids;  // end the answer beside the model's own
  std::vector<std::string> bad_words;
  bool ignore_eos = false;                 // the model's own stop tokens do not end the answer
  int32_t n = 1;                           // answers
  std::optional<int32_t> logprobs;         // most likely tokens to list beside each
  std::optional<int32_t> prompt_logprobs;  // the same for the prompt
  int32_t priority = 0;    // above 0: steps back behind others; nobody can jump ahead
  TextRule text;           // what the answer must be,
  std::string text_field;  // and the field that says so; empty: none does
  std::string cache_salt;  // prompts share cached prefixes with those of the same salt only
};

struct ChatRequest : CommonRequest {
  enum class ToolChoice { kNone, kAuto, kRequired, kNamed };

  std::vector<Message> messages;
  std::vector<ToolDefinition> tools;
  ToolChoice tool_choice = ToolChoice::kNone;  // kNone without tools
  std::string tool_name;                       // of kNamed
  bool legacy_functions = false;               // asked by `functions`: answer with `function_call`
  bool parallel_tool_calls = true;
  std::string reasoning_effort;  // a word for the chat template; empty: not given
  std::string template_kwargs;   // JSON object of variables for the template; empty: not given
};

struct CompletionRequest : CommonRequest {
  std::variant<std::string, std::vector<TokenId>> prompt;
};

template <typename T>
using Parsed = std::variant<T, http::ApiError>;

Parsed<ChatRequest> ParseChatRequest(std::string_view body, const SamplingDefaults& defaults);
Parsed<CompletionRequest> ParseCompletionRequest(std::string_view body,
                                                 const SamplingDefaults& defaults);

// Longest body, and the most of each list in it. Stop strings are short: all of them are compared
// with every piece of an answer.
inline constexpr size_t kMaxBodyBytes = 16 << 20;
inline constexpr size_t kMaxMessages = 16'384;
inline constexpr size_t kMaxStopStrings = 16;
inline constexpr size_t kMaxStopBytes = 1024;  // of one string
inline constexpr size_t kMaxTools = 512;
inline constexpr size_t kMaxLogitBiases = 1024;
inline constexpr size_t kMaxStopTokens = 64;
inline constexpr size_t kMaxBadWords = 128;
inline constexpr size_t kMaxBadWordBytes = 256;
inline constexpr size_t kMaxSaltBytes = 256;
inline constexpr int64_t kMaxLogprobs = 20;
inline constexpr int64_t kMaxChoices = 16;
inline constexpr int64_t kMaxPriority = 1000;

}  // namespace skerry::engine
