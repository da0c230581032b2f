// How a model wants a conversation written and how it writes calls of tools: Mistral's own formats,
// or whatever the checkpoint's chat template says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "appliance/base/result.h"
#include "engine/chat/answer_reader.h"
#include "engine/chat/message.h"
#include "engine/chat/mistral_format.h"
#include "engine/chat/prompt.h"
#include "engine/chat/source.h"
#include "engine/chat/template_format.h"
#include "engine/tokenizer/load.h"
#include "engine/tokenizer/tokenizer.h"

namespace skerry::engine {

// Who reads answers, by vLLM's names; "auto": what the checkpoint teaches, "none": nobody.
struct AnswerParsers {
  std::string tool_calls = "auto";
  std::string reasoning = "auto";
};

// Immutable, thread-safe. The tokenizer must outlive it.
class ChatFormat {
 public:
  // kInvalidArgument with the reason, as a sentence for the client, for a model that answers plain
  // completions only. kAuto: Mistral's own format where the source says its version, else the
  // template; kMistral: Mistral's own, its version recognised where the source does not say it;
  // kHuggingFace: the template. A parser whose tokens the vocabulary lacks is refused, too.
  static Result<ChatFormat> Create(const Tokenizer& tokenizer, const ChatSource& source,
                                   TokenizerMode mode = TokenizerMode::kAuto,
                                   const AnswerParsers& parsers = {});

  // "mistral v7" or "template".
  std::string name() const;
  ToolNotation notation() const { return notation_.tools; }
  ReasoningNotation reasoning() const { return notation_.reasoning; }
  // Whether tools can be offered.
  bool supports_tools() const { return notation_.tools != ToolNotation::kNone; }

  // kInvalidArgument, as a sentence for the client, for a conversation that cannot be written.
  // `now_micros`: the time that templates see, since 1970.
  Result<Prompt> BuildPrompt(const Conversation& conversation, int64_t now_micros) const;
  std::vector<TokenId> Encode(const Prompt& prompt) const {
    return EncodePrompt(*tokenizer_, prompt);
  }

  // How the answer to `prompt` is to be read: with calls of the tools offered, if any are.
  AnswerNotation Reading(const Prompt& prompt, std::vector<OfferedTool> offered) const;

  // Tokens that end an answer in this format: its own, and those the checkpoint names.
  std::vector<TokenId> StopTokens(std::vector<TokenId> checkpoint) const;

  // Control tokens that must not be generated: all but `stops`, those around thoughts and, when
  // `tools_offered`, those of the notation of calls.
  std::vector<TokenId> BannedTokens(const std::vector<TokenId>& stops, bool tools_offered) const;

  // The beginning of an answer, read as `reading`, that is a call: of the tool `name`, or of any
  // tool when it is empty.
  std::vector<TokenId> ForcedCallPrefix(std::string_view name, const AnswerNotation& reading) const;

 private:
  using Writer = std::variant<MistralFormat, TemplateFormat>;
  ChatFormat(const Tokenizer& tokenizer, Writer writer)
      : tokenizer_(&tokenizer), writer_(std::move(writer)) {}

  Result<void> ChooseTools(ToolNotation taught, bool mistral_named, const std::string& parser);
  Result<void> ChooseReasoning(std::string_view chat_template, const std::string& parser);

  const Tokenizer* tokenizer_;
  Writer writer_;
  AnswerNotation notation_;
  std::vector<TokenId> stops_;
};

}  // namespace skerry::engine
