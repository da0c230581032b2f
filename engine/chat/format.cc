#include "engine/chat/format.h"

#include <algorithm>
#include <utility>

namespace skerry::engine {
namespace {

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// A template that writes text of its own (a default system prompt, dates, thoughts) cannot be
// followed by a fixed rule.
bool HasOwnText(std::string_view chat_template) {
  for (const std::string_view sign :
       {"think", "tool", "You are", "strftime_now", "Cutting Knowledge"}) {
    if (Contains(chat_template, sign)) return true;
  }
  return false;
}

Error Unknown(const std::string& why) {
  return Error(ErrorCode::kInvalidArgument,
               "this model cannot be used for chat: " + why + "; use /v1/completions");
}

// Which family the template belongs to.
Result<ChatFamily> Recognize(const Tokenizer& tokenizer, std::string_view chat_template) {
  const auto has = [&](std::string_view name) { return tokenizer.FindControl(name).has_value(); };
  const bool none = chat_template.empty();
  if (Contains(chat_template, "[SYSTEM_PROMPT]") || (none && has("[SYSTEM_PROMPT]"))) {
    return Unknown("its chat format is Mistral's version 7 or later, which is not supported yet");
  }
  if (has("[INST]") && has("[/INST]") && (none || Contains(chat_template, "[INST]"))) {
    const bool v2 =
        Contains(chat_template, "[TOOL_RESULTS]") && !Contains(chat_template, "call_id");
    return v2 ? ChatFamily::kMistralV2 : ChatFamily::kMistralV3;
  }
  if (none) return Unknown("its checkpoint has no chat template");
  if (Contains(chat_template, "[INST]")) {
    return Contains(chat_template, "<<SYS>>") ? ChatFamily::kLlama2 : ChatFamily::kMistralV1;
  }
  if (!HasOwnText(chat_template)) {
    if (Contains(chat_template, "<|start_header_id|>")) return ChatFamily::kLlama3;
    if (Contains(chat_template, "<|im_start|>")) return ChatFamily::kChatMl;
  }
  return Unknown("its chat template is none of the formats this version knows");
}

}  // namespace

std::string_view ChatFamilyName(ChatFamily family) {
  switch (family) {
    case ChatFamily::kMistralV1:
      return "mistral-v1";
    case ChatFamily::kMistralV2:
      return "mistral-v2";
    case ChatFamily::kMistralV3:
      return "mistral-v3";
    case ChatFamily::kLlama2:
      return "llama-2";
    case ChatFamily::kLlama3:
      return "llama-3";
    case ChatFamily::kChatMl:
      return "chatml";
  }
  return "unknown";
}

Result<ChatFormat> ChatFormat::Detect(const Tokenizer& tokenizer, std::string_view chat_template) {
  const ChatFamily family = TRY(Recognize(tokenizer, chat_template));
  ChatFormat format = TRY(Create(tokenizer, family));
  // A template that never mentions tools belongs to a model that was not trained on them.
  if (!chat_template.empty() && !Contains(chat_template, "[TOOL_CALLS]")) {
    format.tool_call_.reset();
  }
  return format;
}

Result<ChatFormat> ChatFormat::Create(const Tokenizer& tokenizer, ChatFamily family) {
  ChatFormat format(tokenizer, family);
  Names& names = format.names_;
  names.bos = tokenizer.bos();
  names.eos = tokenizer.eos();
  const auto need = [&](std::optional<TokenId>& slot, std::string_view name) -> Result<void> {
    slot = tokenizer.FindControl(name);
    if (slot) return {};
    return Unknown("its vocabulary has no token '" + std::string(name) + "'");
  };
  switch (family) {
    case ChatFamily::kMistralV1:
    case ChatFamily::kLlama2:
      break;
    case ChatFamily::kMistralV2:
    case ChatFamily::kMistralV3:
      TRY(need(names.inst, "[INST]"));
      TRY(need(names.inst_end, "[/INST]"));
      names.tools = tokenizer.FindControl("[AVAILABLE_TOOLS]");
      names.tools_end = tokenizer.FindControl("[/AVAILABLE_TOOLS]");
      names.results = tokenizer.FindControl("[TOOL_RESULTS]");
      names.results_end = tokenizer.FindControl("[/TOOL_RESULTS]");
      if (names.tools && names.tools_end && names.results && names.results_end) {
        format.tool_call_ = tokenizer.FindControl("[TOOL_CALLS]");
      }
      break;
    case ChatFamily::kLlama3:
      names.bos = tokenizer.FindControl("<|begin_of_text|>");
      TRY(need(names.header, "<|start_header_id|>"));
      TRY(need(names.header_end, "<|end_header_id|>"));
      TRY(need(names.turn_end, "<|eot_id|>"));
      format.stops_ = {*names.turn_end};
      break;
    case ChatFamily::kChatMl:
      TRY(need(names.turn_start, "<|im_start|>"));
      TRY(need(names.turn_end, "<|im_end|>"));
      format.stops_ = {*names.turn_end};
      break;
  }
  const bool ends_turns_with_eos = family != ChatFamily::kLlama3 && family != ChatFamily::kChatMl;
  if (ends_turns_with_eos && !names.eos) return Unknown("its vocabulary has no end token");
  return format;
}

std::vector<Segment> ChatFormat::BuildPrompt(const Conversation& conversation) const {
  switch (family_) {
    case ChatFamily::kMistralV2:
    case ChatFamily::kMistralV3:
      return BuildMistral(conversation);
    case ChatFamily::kMistralV1:
    case ChatFamily::kLlama2:
      return BuildPlainInst(conversation);
    case ChatFamily::kLlama3:
    case ChatFamily::kChatMl:
      return BuildHeaders(conversation);
  }
  return {};
}

std::vector<TokenId> ChatFormat::Encode(const std::vector<Segment>& segments) const {
  std::vector<TokenId> ids;
  for (const Segment& segment : segments) {
    if (segment.control) {
      ids.push_back(*segment.control);
      continue;
    }
    const std::vector<TokenId> part = tokenizer_->Encode(segment.text);
    ids.insert(ids.end(), part.begin(), part.end());
  }
  return ids;
}

size_t ChatFormat::LeastTokens(const std::vector<Segment>& segments) const {
  size_t tokens = 0;
  for (const Segment& segment : segments) {
    tokens += segment.control ? 1 : tokenizer_->LeastTokens(segment.text.size());
  }
  return tokens;
}

std::vector<TokenId> ChatFormat::BannedTokens(const std::vector<TokenId>& stops,
                                              bool tools_offered) const {
  std::vector<TokenId> banned;
  for (TokenId id = 0; id < tokenizer_->vocab_size(); ++id) {
    if (!tokenizer_->IsControl(id) || std::ranges::find(stops, id) != stops.end()) continue;
    if (tools_offered && id == tool_call_) continue;
    banned.push_back(id);
  }
  return banned;
}

}  // namespace skerry::engine
