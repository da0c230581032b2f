#include "engine/chat/format.h"

#include <algorithm>
#include <utility>

namespace skerry::engine {
namespace {

std::string_view UsualTemplate(const ChatSource& source) {
  const auto found = source.templates.find("default");
  return found == source.templates.end() ? std::string_view() : found->second;
}

// The version of Mistral's formats to use; nullopt: the template.
Result<std::optional<MistralVersion>> ChooseMistral(const Tokenizer& tokenizer,
                                                    const ChatSource& source, TokenizerMode mode) {
  if (mode == TokenizerMode::kHuggingFace) return std::optional<MistralVersion>();
  if (source.mistral || mode == TokenizerMode::kAuto) return source.mistral;
  const std::optional<MistralVersion> version = RecognizeMistral(tokenizer, UsualTemplate(source));
  if (version) return version;
  return Error(
      ErrorCode::kInvalidArgument,
      "this model cannot be used for chat: neither its files nor its tokens are those of a "
      "Mistral model; start the engine without --tokenizer-mode mistral");
}

}  // namespace

Result<ChatFormat> ChatFormat::Create(const Tokenizer& tokenizer, const ChatSource& source,
                                      TokenizerMode mode) {
  const std::optional<MistralVersion> mistral = TRY(ChooseMistral(tokenizer, source, mode));
  if (mistral) {
    Result<MistralFormat> writer = MistralFormat::Create(tokenizer, *mistral);
    if (!writer) {
      return Error(ErrorCode::kInvalidArgument,
                   "this model cannot be used for chat: " + writer.error().message() +
                       "; use /v1/completions");
    }
    const bool tools = writer->supports_tools();
    ChatFormat format(tokenizer, Writer(std::move(*writer)));
    if (tools) {
      format.notation_ = *mistral >= MistralVersion::kV11 ? ToolNotation::kMistralNamed
                                                          : ToolNotation::kMistralList;
    }
    return format;
  }
  TemplateFormat writer = TRY(TemplateFormat::Create(tokenizer, source));
  const ToolNotation notation = RecognizeNotation(writer.tool_text());
  const std::optional<TokenId> end = writer.turn_end();
  ChatFormat format(tokenizer, Writer(std::move(writer)));
  format.notation_ = notation;
  // Mistral's notation is told from text by its token alone.
  const bool by_token =
      notation == ToolNotation::kMistralList || notation == ToolNotation::kMistralNamed;
  if (by_token && !tokenizer.FindControl("[TOOL_CALLS]")) format.notation_ = ToolNotation::kNone;
  if (end) format.stops_.push_back(*end);
  return format;
}

std::string ChatFormat::name() const {
  const auto* mistral = std::get_if<MistralFormat>(&writer_);
  if (mistral == nullptr) return "template";
  return "mistral v" + std::to_string(static_cast<int>(mistral->version()));
}

Result<Prompt> ChatFormat::BuildPrompt(const Conversation& conversation, int64_t now_micros) const {
  if (const auto* mistral = std::get_if<MistralFormat>(&writer_)) {
    return mistral->Write(conversation);
  }
  return std::get<TemplateFormat>(writer_).Write(conversation, now_micros);
}

std::vector<TokenId> ChatFormat::BannedTokens(const std::vector<TokenId>& stops,
                                              bool tools_offered) const {
  std::vector<TokenId> allowed = stops;
  if (tools_offered) {
    for (const std::string_view name : NotationTokens(notation_)) {
      if (const auto id = tokenizer_->FindControl(name)) allowed.push_back(*id);
    }
  }
  std::vector<TokenId> banned;
  for (TokenId id = 0; id < tokenizer_->vocab_size(); ++id) {
    if (!tokenizer_->IsControl(id) || std::ranges::find(allowed, id) != allowed.end()) continue;
    banned.push_back(id);
  }
  return banned;
}

std::vector<TokenId> ChatFormat::ForcedCallPrefix(std::string_view name) const {
  Prompt prompt;
  for (NotationPart& part : ForcedCall(notation_, name)) {
    const std::optional<TokenId> control =
        part.control ? tokenizer_->FindControl(part.text) : std::nullopt;
    if (control) {
      prompt.push_back({control, {}});
      continue;
    }
    // A tag that is no control token may still be a token of its own.
    if (prompt.empty() || prompt.back().control) prompt.emplace_back();
    prompt.back().parts.push_back({std::move(part.text), /*trusted=*/part.control});
  }
  return Encode(prompt);
}

}  // namespace skerry::engine
