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

Error Unusable(const std::string& why) {
  return Error(ErrorCode::kInvalidArgument, "this model cannot be used for chat: " + why);
}

bool HasAll(const Tokenizer& tokenizer, const std::vector<std::string_view>& names) {
  return std::ranges::all_of(
      names, [&](std::string_view name) { return tokenizer.FindControl(name).has_value(); });
}

std::string Join(const std::vector<std::string_view>& names) {
  std::string all;
  for (const std::string_view name : names) {
    if (!all.empty()) all += ", ";
    all += name;
  }
  return all;
}

// Of a notation whose calls are told from text by tokens alone: those it cannot do without.
std::vector<std::string_view> NeededTokens(ToolNotation notation) {
  switch (notation) {
    case ToolNotation::kMistralList:
    case ToolNotation::kMistralNamed:
      return {"[TOOL_CALLS]"};
    case ToolNotation::kHarmony:
      return NotationTokens(notation);
    case ToolNotation::kNone:
    case ToolNotation::kHermes:
    case ToolNotation::kLlama:
    case ToolNotation::kQwenXml:
    case ToolNotation::kGlm:
      break;
  }
  return {};
}

}  // namespace

Result<ChatFormat> ChatFormat::Create(const Tokenizer& tokenizer, const ChatSource& source,
                                      TokenizerMode mode, const AnswerParsers& parsers) {
  const std::optional<MistralVersion> mistral = TRY(ChooseMistral(tokenizer, source, mode));
  if (mistral) {
    Result<MistralFormat> writer = MistralFormat::Create(tokenizer, *mistral);
    if (!writer) return Unusable(writer.error().message() + "; use /v1/completions");
    const bool tools = writer->supports_tools();
    ChatFormat format(tokenizer, Writer(std::move(*writer)));
    const bool named = *mistral >= MistralVersion::kV11;
    const ToolNotation own = named ? ToolNotation::kMistralNamed : ToolNotation::kMistralList;
    TRY(format.ChooseTools(tools ? own : ToolNotation::kNone, named, parsers.tool_calls));
    TRY(format.ChooseReasoning(UsualTemplate(source), parsers.reasoning));
    return format;
  }
  TemplateFormat writer = TRY(TemplateFormat::Create(tokenizer, source));
  const std::string text = writer.tool_text();
  const std::optional<TokenId> end = writer.turn_end();
  ChatFormat format(tokenizer, Writer(std::move(writer)));
  const bool named = tokenizer.FindControl("[ARGS]").has_value();
  TRY(format.ChooseTools(RecognizeNotation(text), named, parsers.tool_calls));
  TRY(format.ChooseReasoning(text, parsers.reasoning));
  if (end) format.stops_.push_back(*end);
  return format;
}

Result<void> ChatFormat::ChooseTools(ToolNotation taught, bool mistral_named,
                                     const std::string& parser) {
  ToolNotation& chosen = notation_.tools;
  chosen = taught;
  if (parser != "auto")
    chosen = TRY(ParseToolCallParser(parser, mistral_named).WithContext("--tool-call-parser"));
  const std::vector<std::string_view> needed = NeededTokens(chosen);
  if (HasAll(*tokenizer_, needed)) return {};
  chosen = ToolNotation::kNone;
  if (parser == "auto") return {};
  return Unusable("--tool-call-parser " + parser + " needs the tokens " + Join(needed) +
                  ", which its vocabulary lacks");
}

Result<void> ChatFormat::ChooseReasoning(std::string_view chat_template,
                                         const std::string& parser) {
  const ReasoningNotation taught = RecognizeReasoning(*tokenizer_, chat_template);
  ReasoningNotation& chosen = notation_.reasoning;
  chosen = taught;
  if (parser != "auto")
    chosen = TRY(ParseReasoningParser(parser).WithContext("--reasoning-parser"));
  // Channels are how such a model answers at all, so they are read in any case.
  const bool channels =
      taught == ReasoningNotation::kHarmony || notation_.tools == ToolNotation::kHarmony;
  if (channels && chosen != ReasoningNotation::kHarmony) {
    chosen = ReasoningNotation::kHarmony;
    notation_.split_reasoning = false;
  }
  const std::vector<std::string_view> tokens = ReasoningTokens(chosen);
  notation_.reasoning_by_token = HasAll(*tokenizer_, tokens);
  if (chosen != ReasoningNotation::kHarmony || notation_.reasoning_by_token) return {};
  return Unusable("--reasoning-parser " + parser + " needs the tokens " + Join(tokens) +
                  ", which its vocabulary lacks");
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

AnswerNotation ChatFormat::Reading(const Prompt& prompt, std::vector<OfferedTool> offered) const {
  AnswerNotation reading = notation_;
  if (offered.empty()) reading.tools = ToolNotation::kNone;
  reading.offered = std::move(offered);
  const std::string_view begin = MarksOf(notation_.reasoning).begin;
  if (begin.empty() || prompt.empty() || prompt.back().parts.empty()) return reading;
  // Only the template can have begun them: what a request says means nothing here.
  const PromptPart& last = prompt.back().parts.back();
  const std::string_view text =
      std::string_view(last.text).substr(0, last.text.find_last_not_of(" \n") + 1);
  reading.starts_inside = last.trusted && text.ends_with(begin);
  return reading;
}

std::vector<TokenId> ChatFormat::StopTokens(std::vector<TokenId> checkpoint) const {
  std::vector<TokenId> stops = std::move(checkpoint);
  stops.insert(stops.end(), stops_.begin(), stops_.end());
  if (notation_.reasoning != ReasoningNotation::kHarmony) return stops;
  for (const std::string_view name : {"<|return|>", "<|call|>"}) {
    if (const auto id = tokenizer_->FindControl(name)) stops.push_back(*id);
  }
  // It ends a message, and another one may follow; some checkpoints say otherwise.
  if (const auto id = tokenizer_->FindControl("<|end|>")) std::erase(stops, *id);
  return stops;
}

std::vector<TokenId> ChatFormat::BannedTokens(const std::vector<TokenId>& stops,
                                              bool tools_offered) const {
  std::vector<TokenId> allowed = stops;
  const auto allow = [&](const std::vector<std::string_view>& names) {
    for (const std::string_view name : names) {
      if (const auto id = tokenizer_->FindControl(name)) allowed.push_back(*id);
    }
  };
  if (tools_offered) allow(NotationTokens(notation_.tools));
  allow(ReasoningTokens(notation_.reasoning));
  std::vector<TokenId> banned;
  for (TokenId id = 0; id < tokenizer_->vocab_size(); ++id) {
    if (!tokenizer_->IsControl(id) || std::ranges::find(allowed, id) != allowed.end()) continue;
    banned.push_back(id);
  }
  return banned;
}

std::vector<TokenId> ChatFormat::ForcedCallPrefix(std::string_view name,
                                                  const AnswerNotation& reading) const {
  std::vector<NotationPart> parts = ForcedCall(notation_.tools, name);
  if (reading.starts_inside && !parts.empty()) {
    const std::string end(MarksOf(reading.reasoning).end);
    parts.insert(parts.begin(), {{true, end}, {false, "\n\n"}});
  }
  Prompt prompt;
  for (NotationPart& part : parts) {
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
