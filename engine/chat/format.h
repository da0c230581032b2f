// How a model wants a conversation written: chat formats recognised by the checkpoint's template
// and control tokens, and the prompt built from them. A prompt is a list of segments, so that text
// of a request is always encoded as plain text and structure is always a control token.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/chat/message.h"
#include "engine/tokenizer/tokenizer.h"

namespace skerry::engine {

enum class ChatFamily {
  kMistralV1,  // "[INST] ... [/INST]" in plain text
  kMistralV2,  // control tokens; tool calls without ids
  kMistralV3,  // control tokens; tool calls with ids
  kLlama2,     // "[INST] <<SYS>> ..." in plain text
  kLlama3,     // <|start_header_id|>role<|end_header_id|>
  kChatMl,     // <|im_start|>role
};

std::string_view ChatFamilyName(ChatFamily family);

// Either one control token or plain text encoded on its own.
struct Segment {
  std::optional<TokenId> control;
  std::string text;
};

// Immutable, thread-safe. The tokenizer must outlive it.
class ChatFormat {
 public:
  // Recognises the format. kInvalidArgument with the reason, as a sentence for the client, when it
  // is none of the above: such a model answers plain completions only.
  static Result<ChatFormat> Detect(const Tokenizer& tokenizer, std::string_view chat_template);
  // The given format; kInvalidArgument when the vocabulary lacks its tokens.
  static Result<ChatFormat> Create(const Tokenizer& tokenizer, ChatFamily family);

  ChatFamily family() const { return family_; }
  // Whether tools can be offered.
  bool supports_tools() const { return tool_call_.has_value(); }
  // The token that begins tool calls in an answer.
  std::optional<TokenId> tool_call_token() const { return tool_call_; }
  // Tokens that end an answer in this format, besides the checkpoint's own.
  const std::vector<TokenId>& stop_tokens() const { return stops_; }

  std::vector<Segment> BuildPrompt(const Conversation& conversation) const;
  std::vector<TokenId> Encode(const std::vector<Segment>& segments) const;
  // No more than the tokens that Encode would give, known without encoding.
  size_t LeastTokens(const std::vector<Segment>& segments) const;

  // Control tokens that must not be generated: all but `stops` and, when `tools_offered`, the one
  // that begins tool calls.
  std::vector<TokenId> BannedTokens(const std::vector<TokenId>& stops, bool tools_offered) const;

  // The beginning of an answer that is a call: of the tool `name`, or of any tool when it is empty.
  std::vector<TokenId> ForcedCallPrefix(std::string_view name) const;
  // The text those tokens stand for behind the tool call token.
  static std::string ForcedCallText(std::string_view name);

 private:
  struct Names {
    std::optional<TokenId> bos, eos, inst, inst_end, tools, tools_end, results, results_end, header,
        header_end, turn_end, turn_start;
  };
  ChatFormat(const Tokenizer& tokenizer, ChatFamily family)
      : tokenizer_(&tokenizer), family_(family) {}

  std::vector<Segment> BuildMistral(const Conversation& conversation) const;
  std::vector<Segment> BuildPlainInst(const Conversation& conversation) const;
  std::vector<Segment> BuildHeaders(const Conversation& conversation) const;

  const Tokenizer* tokenizer_;
  ChatFamily family_;
  std::optional<TokenId> tool_call_;
  std::vector<TokenId> stops_;
  Names names_;
};

}  // namespace skerry::engine
