// What a template can read, found by rendering short conversations with it: templates do not say.
#include <charconv>

#include "engine/chat/internal/template_context.h"

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kProbe = "probe-";
constexpr std::string_view kShortId = "abcDEF123";
constexpr std::string_view kLongId = "call_0123456789abcdef";
constexpr std::string_view kArguments = R"({"probe_key": "it's"})";

Message Say(Role role, size_t number) {
  Message message;
  message.role = role;
  message.content = ProbeText(number);
  return message;
}

class Prober {
 public:
  Prober(const jinja::Template& parsed, const SpecialTokens& special)
      : parsed_(parsed), special_(special) {}

  // The rendered text; empty when the template refuses.
  std::string Text(const Conversation& conversation, const TemplateNeeds& needs) const {
    const jinja::OrderedJson context = MakeContext(conversation, special_, needs,
                                                   /*complete_tools=*/true,
                                                   /*add_generation_prompt=*/true);
    const Result<jinja::Rendered> rendered = RenderContext(parsed_, context, special_, 0);
    return rendered ? rendered->text() : "";
  }

  // Whether all the probes of the conversation are in its render.
  bool Shows(const Conversation& conversation, const TemplateNeeds& needs) const {
    const std::vector<bool> found =
        FindProbes(Text(conversation, needs), conversation.messages.size());
    for (size_t i = 0; i < found.size(); ++i) {
      if (!found[i] && !conversation.messages[i].content.empty()) return false;
    }
    return true;
  }

 private:
  const jinja::Template& parsed_;
  const SpecialTokens& special_;
};

Conversation CallAndResult(std::string_view id) {
  Conversation conversation;
  Message call;
  call.role = Role::kAssistant;
  call.has_content = false;
  call.tool_calls = {{std::string(id), "probe_tool", std::string(kArguments)}};
  Message result = Say(Role::kTool, 2);
  result.tool_call_id = id;
  result.name = "probe_tool";
  conversation.messages = {Say(Role::kUser, 0), call, result};
  conversation.tools = {{"probe_tool", "d", R"({"type": "object", "properties": {}})", ""}};
  return conversation;
}

// Whether the call is in the text, its arguments as JSON: neither in Python's notation nor as a
// string of JSON in JSON, nor with its quotes escaped as if for HTML.
bool ShowsCall(const std::string& text) {
  const auto has = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  return FindProbes(text, 3)[2] && has("probe_key") && !has("{'probe_key'") &&
         !has("{\\\"probe_key") && !has("&#34;");
}

size_t Count(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

// What can be seen only of a template that shows calls: whether it shows two of one turn, and under
// which key it looks for thoughts.
void ProbeCallTurn(const Prober& prober, Conversation calls, TemplateNeeds& needs) {
  const auto shows = [&](std::string_view part) {
    return prober.Text(calls, needs).find(part) != std::string::npos;
  };
  calls.messages[1].reasoning = ProbeText(1);
  if (!shows(ProbeText(1))) {
    needs.thinking_key = true;
    needs.thinking_key = shows(ProbeText(1));
  }
  ToolCall second = calls.messages[1].tool_calls[0];
  second.id = needs.short_ids ? "abcDEF124" : "call_0123456789abcdee";
  second.name = "probe_other";
  Message result = calls.messages[2];
  result.tool_call_id = second.id;
  result.name = second.name;
  calls.messages[1].reasoning.clear();
  calls.messages[1].tool_calls.push_back(std::move(second));
  calls.messages.push_back(std::move(result));
  needs.single_calls = !shows("probe_other");
}

}  // namespace

std::string ProbeText(size_t number) {
  return std::string(kProbe) + std::to_string(number) + "-end";
}

std::vector<bool> FindProbes(std::string_view text, size_t count) {
  std::vector<bool> found(count);
  for (size_t at = text.find(kProbe); at != std::string_view::npos; at = text.find(kProbe, at)) {
    at += kProbe.size();
    size_t number = 0;
    const auto parsed = std::from_chars(text.data() + at, text.data() + text.size(), number);
    if (parsed.ec == std::errc() && number < count) found[number] = true;
  }
  return found;
}

TemplateNeeds ProbeNeeds(const jinja::Template& parsed, std::string_view text,
                         const SpecialTokens& special) {
  const Prober prober(parsed, special);
  TemplateNeeds needs;
  const Conversation user = {{Say(Role::kUser, 0)}, {}, ""};
  if (!prober.Shows(user, needs)) {
    needs.content_parts = true;
    if (!prober.Shows(user, needs)) needs.content_parts = false;
  }
  const Conversation system = {{Say(Role::kSystem, 0), Say(Role::kUser, 1)}, {}, ""};
  needs.system_turn = prober.Shows(system, needs);
  if (text.find("tool_calls") == std::string_view::npos) return needs;
  // The first combination that works, the most natural ones in front.
  for (const bool short_ids : {false, true}) {
    const Conversation calls = CallAndResult(short_ids ? kShortId : kLongId);
    for (const bool objects : {true, false}) {
      TemplateNeeds tried = needs;
      tried.object_arguments = objects;
      tried.short_ids = short_ids;
      const std::string with_none = prober.Text(calls, tried);
      tried.null_content = false;
      const std::string with_empty = prober.Text(calls, tried);
      // A template that cannot read none prints Python's word for it.
      tried.null_content =
          ShowsCall(with_none) &&
          (!ShowsCall(with_empty) || Count(with_none, "None") <= Count(with_empty, "None"));
      if (tried.null_content || ShowsCall(with_empty)) {
        ProbeCallTurn(prober, calls, tried);
        return tried;
      }
    }
  }
  return needs;
}

}  // namespace skerry::engine::internal
