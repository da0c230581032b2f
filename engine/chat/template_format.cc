#include "engine/chat/template_format.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/tokenizer/utf8.h"

namespace skerry::engine {
namespace {

constexpr size_t kMaxMessageBytes = 400;  // of a template's refusal, in an error

Error Unusable(const std::string& why) {
  return Error(ErrorCode::kInvalidArgument,
               "this model cannot be used for chat: " + why + "; use /v1/completions");
}

Prompt ToPrompt(jinja::Rendered rendered) {
  Segment segment;
  for (jinja::Part& part : rendered.parts) {
    segment.parts.push_back({std::move(part.text), /*trusted=*/!part.from_request});
  }
  return {std::move(segment)};
}

// All system texts in the first user turn, the rest as it is.
std::vector<Message> FoldSystem(std::vector<Message> messages) {
  std::string system;
  for (const Message& message : messages) {
    if (message.role != Role::kSystem || message.content.empty()) continue;
    if (!system.empty()) system += "\n\n";
    system += message.content;
  }
  std::erase_if(messages, [](const Message& message) { return message.role == Role::kSystem; });
  const auto user = std::ranges::find(messages, Role::kUser, &Message::role);
  if (user == messages.end()) {
    Message turn;
    turn.content = std::move(system);
    messages.insert(messages.begin(), std::move(turn));
  } else if (!system.empty()) {
    user->content = system + (user->content.empty() ? "" : "\n\n") + user->content;
  }
  return messages;
}

std::vector<Message> Merge(const std::vector<Message>& messages) {
  Turns turns = Normalize(messages);
  if (!turns.system.empty()) {
    Message system;
    system.role = Role::kSystem;
    system.content = std::move(turns.system);
    turns.turns.insert(turns.turns.begin(), std::move(system));
  }
  return std::move(turns.turns);
}

bool HasSystem(const std::vector<Message>& messages) {
  return std::ranges::find(messages, Role::kSystem, &Message::role) != messages.end();
}

// What every template is written for: at most one system text, in front; then a user first, users
// and assistants in turn, results behind calls only; a user or results last.
bool IsPlain(const std::vector<Message>& messages) {
  const size_t first = !messages.empty() && messages[0].role == Role::kSystem ? 1 : 0;
  if (first == messages.size() || messages[first].role != Role::kUser) return false;
  for (size_t i = first + 1; i < messages.size(); ++i) {
    const Message& before = messages[i - 1];
    switch (messages[i].role) {
      case Role::kSystem:
        return false;
      case Role::kUser:
        if (before.role != Role::kAssistant) return false;
        break;
      case Role::kAssistant:
        if (before.role == Role::kAssistant) return false;
        break;
      case Role::kTool:
        if (before.role != Role::kTool && before.tool_calls.empty()) return false;
        break;
    }
  }
  return messages.back().role != Role::kAssistant;
}

// The same turns with a short text of its own in each.
Conversation Skeleton(const Conversation& conversation) {
  Conversation skeleton;
  skeleton.messages.reserve(conversation.messages.size());
  for (size_t i = 0; i < conversation.messages.size(); ++i) {
    const Message& from = conversation.messages[i];
    Message turn;
    turn.role = from.role;
    turn.has_content = from.has_content;
    if (!from.content.empty()) turn.content = internal::ProbeText(i);
    for (const ToolCall& call : from.tool_calls)
      turn.tool_calls.push_back({call.id, call.name, ""});
    turn.tool_call_id = from.tool_call_id;
    turn.name = from.name;
    skeleton.messages.push_back(std::move(turn));
  }
  if (!conversation.tools.empty()) skeleton.tools = {{"f", "", "", ""}};
  skeleton.template_kwargs = conversation.template_kwargs;
  return skeleton;
}

}  // namespace

Result<TemplateFormat::Variant> TemplateFormat::MakeVariant(
    const std::string& text, const internal::SpecialTokens& special) {
  Result<jinja::Template> parsed = jinja::Template::Parse(text);
  if (!parsed) return Unusable("its chat template cannot be read: " + parsed.error().message());
  const internal::TemplateNeeds needs = internal::ProbeNeeds(*parsed, text, special);
  return Variant{std::move(*parsed), needs};
}

Result<TemplateFormat> TemplateFormat::Create(const Tokenizer& tokenizer,
                                              const ChatSource& source) {
  if (source.templates.empty()) return Unusable("its checkpoint has no chat template");
  auto usual = source.templates.find("default");
  if (usual == source.templates.end() && source.templates.size() == 1) {
    usual = source.templates.begin();
  }
  if (usual == source.templates.end()) {
    return Unusable("none of its chat templates is called 'default'");
  }
  internal::SpecialTokens special = source.special_tokens;
  if (special.empty()) {  // a bare vocabulary
    if (tokenizer.bos()) special["bos_token"] = tokenizer.TokenName(*tokenizer.bos());
    if (tokenizer.eos()) special["eos_token"] = tokenizer.TokenName(*tokenizer.eos());
  }
  Variant parsed = TRY(MakeVariant(usual->second, special));
  TemplateFormat format(tokenizer, std::move(parsed));
  format.tool_text_ = usual->second;
  if (const auto tools = source.templates.find("tool_use");
      tools != source.templates.end() && tools != usual) {
    Variant variant = TRY(MakeVariant(tools->second, special));
    format.tool_use_ = std::move(variant);
    format.tool_text_ = tools->second;
  }
  format.special_ = std::move(special);
  format.FindTurnEnd();
  return format;
}

Result<jinja::Rendered> TemplateFormat::Render(const Variant& variant,
                                               const Conversation& conversation, bool helped,
                                               int64_t now_micros) const {
  const jinja::OrderedJson context =
      internal::MakeContext(conversation, special_, variant.needs, /*complete_tools=*/helped,
                            /*add_generation_prompt=*/true);
  return internal::RenderContext(variant.parsed, context, special_, now_micros);
}

// Whether the texts of all users and systems are in the render. Looked at with short texts, so that
// what a text says decides nothing.
bool TemplateFormat::KeepsTurns(const Variant& variant, const Conversation& conversation) const {
  const Conversation skeleton = Skeleton(conversation);
  const Result<jinja::Rendered> rendered = Render(variant, skeleton, /*helped=*/true, 0);
  if (!rendered) return false;
  const std::vector<bool> found = internal::FindProbes(rendered->text(), skeleton.messages.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const Message& turn = skeleton.messages[i];
    const bool must = turn.role == Role::kUser || turn.role == Role::kSystem;
    if (must && !turn.content.empty() && !found[i]) return false;
  }
  return true;
}

Result<Prompt> TemplateFormat::Write(const Conversation& conversation, int64_t now_micros) const {
  const Variant& variant = tool_use_ && !conversation.tools.empty() ? *tool_use_ : usual_;
  Conversation given = conversation;
  NameResults(given.messages);
  if (variant.needs.single_calls) given.messages = SplitCalls(std::move(given.messages));
  const bool fold_always = !variant.needs.system_turn;
  const bool can_help = !given.tools.empty() || !given.reasoning_effort.empty();

  std::vector<std::vector<Message>> shapes;
  const bool plain = IsPlain(given.messages);
  shapes.push_back(fold_always ? FoldSystem(given.messages) : given.messages);
  if (!plain) {
    std::vector<Message> merged = Merge(given.messages);
    shapes.push_back(fold_always ? FoldSystem(std::move(merged)) : std::move(merged));
  }
  if (!fold_always && HasSystem(given.messages))
    shapes.push_back(FoldSystem(Merge(given.messages)));

  std::string why;
  for (std::vector<Message>& shape : shapes) {
    given.messages = std::move(shape);
    for (const bool helped : {false, true}) {
      if (helped && !can_help) break;
      Conversation asked = given;
      if (helped) asked.reasoning_effort.clear();
      Result<jinja::Rendered> rendered = Render(variant, asked, helped, now_micros);
      if (!rendered) {
        why = rendered.error().message();
        continue;
      }
      if (!plain && !KeepsTurns(variant, given)) {
        why = "it leaves turns of the conversation out";
        break;
      }
      return ToPrompt(std::move(*rendered));
    }
  }
  return Error(ErrorCode::kInvalidArgument,
               "the model's chat template refuses this conversation: " +
                   ToValidUtf8(why.substr(0, kMaxMessageBytes)));
}

void TemplateFormat::FindTurnEnd() {
  Conversation talk;
  for (const Role role : {Role::kUser, Role::kAssistant}) {
    Message message;
    message.role = role;
    message.content = internal::ProbeText(talk.messages.size());
    talk.messages.push_back(std::move(message));
  }
  const jinja::OrderedJson context =
      internal::MakeContext(talk, special_, usual_.needs, /*complete_tools=*/false,
                            /*add_generation_prompt=*/false);
  const Result<jinja::Rendered> rendered =
      internal::RenderContext(usual_.parsed, context, special_, 0);
  if (!rendered) return;
  const std::string text = rendered->text();
  const std::string probe = internal::ProbeText(1);
  const size_t at = text.rfind(probe);
  if (at == std::string::npos) return;
  std::string_view rest = std::string_view(text).substr(at + probe.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(" \n"), rest.size()));
  size_t longest = 0;
  for (TokenId id = 0; id < tokenizer_->vocab_size(); ++id) {
    const std::string_view name = tokenizer_->TokenName(id);
    if (name.size() <= longest || !tokenizer_->IsControl(id) || !rest.starts_with(name)) continue;
    longest = name.size();
    turn_end_ = id;
  }
}

}  // namespace skerry::engine
