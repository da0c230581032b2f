// `messages` of a chat body.
#include "engine/api/internal/parse_parts.h"
#include "engine/chat/json_text.h"

namespace skerry::engine::internal {
namespace {

// A string, or an array of text parts joined by nothing: that is how clients split one text.
std::string ParseContent(Fields& fields) {
  const Json* content = fields.Find("content");
  if (content == nullptr) return "";
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) {
    fields.Fail("content", "must be a string or an array of parts", "invalid_type");
    return "";
  }
  std::string text;
  for (size_t i = 0; i < content->size(); ++i) {
    const Json& item = (*content)[i];
    const std::string name = "content[" + std::to_string(i) + "]";
    if (!item.is_object()) {
      fields.Fail(name, "must be an object", "invalid_type");
      return "";
    }
    Fields part(item, fields.PathOf(name) + ".", fields.error());
    const std::string type = part.String("type");
    if (type == "text") {
      text += part.String("text");
    } else if (type == "refusal") {
      text += part.String("refusal");
    } else {
      part.Fail(
          "type",
          "is '" + type.substr(0, 32) + "': this model reads text only; send parts of type 'text'",
          "unsupported_content");
    }
    if (fields.failed()) return "";
  }
  return text;
}

// The elements of an array in the body as they are written, cut when the first is asked for.
class RawList {
 public:
  explicit RawList(std::string_view array) : array_(array) {}
  std::string_view At(size_t i) {
    if (elements_.empty()) elements_ = RawElements(array_);
    return i < elements_.size() ? elements_[i] : std::string_view();
  }

 private:
  std::string_view array_;
  std::vector<std::string_view> elements_;
};

// `raw`: the body's messages, `at`: the place of this one.
void ParseToolCalls(Fields& fields, RawList& raw, size_t at, Message& message) {
  const Json* calls = fields.Array("tool_calls");
  std::optional<RawList> raw_calls;
  for (size_t i = 0; calls != nullptr && i < calls->size() && !fields.failed(); ++i) {
    const std::string name = "tool_calls[" + std::to_string(i) + "]";
    if (!(*calls)[i].is_object()) {
      fields.Fail(name, "must be an object", "invalid_type");
      return;
    }
    Fields call((*calls)[i], fields.PathOf(name) + ".", fields.error());
    const Json* function = call.Object("function");
    if (function == nullptr) {
      call.Fail("function", "is missing", "missing_required_parameter");
      return;
    }
    Fields inner(*function, call.PathOf("function."), fields.error());
    ToolCall parsed;
    parsed.id = call.String("id");
    parsed.name = inner.String("name");
    const Json* arguments = inner.Find("arguments");
    if (arguments != nullptr && arguments->is_object()) {
      if (!raw_calls) raw_calls.emplace(RawMember(raw.At(at), "tool_calls"));
      parsed.arguments =
          std::string(RawMember(RawMember(raw_calls->At(i), "function"), "arguments"));
      if (!SaysTheSame(parsed.arguments, *arguments)) {
        inner.Fail("arguments", "cannot be read", "invalid_value");
      }
    } else {
      parsed.arguments = inner.String("arguments");
    }
    message.tool_calls.push_back(std::move(parsed));
  }
}

// The call and the result of a function have no ids in the old form; the name joins them.
std::string LegacyId(const std::string& name) { return "function:" + name; }

void ParseMessage(Fields& fields, RawList& raw, size_t at, Message& message) {
  const std::string role = fields.String("role");
  message.content = ParseContent(fields);
  message.has_content = fields.Find("content") != nullptr;
  if (role == "system" || role == "developer") {
    message.role = Role::kSystem;
  } else if (role == "user") {
    message.role = Role::kUser;
  } else if (role == "assistant") {
    message.role = Role::kAssistant;
    message.reasoning = fields.String("reasoning_content");
    if (message.reasoning.empty()) message.reasoning = fields.String("reasoning");
    ParseToolCalls(fields, raw, at, message);
    if (const Json* call = fields.Object("function_call"); call != nullptr) {
      Fields inner(*call, fields.PathOf("function_call."), fields.error());
      const std::string name = inner.String("name");
      message.tool_calls.push_back({LegacyId(name), name, inner.String("arguments")});
    }
    return;
  } else if (role == "tool") {
    message.role = Role::kTool;
    message.tool_call_id = fields.String("tool_call_id");
    message.name = fields.String("name");
  } else if (role == "function") {
    message.role = Role::kTool;
    message.name = fields.String("name");
    message.tool_call_id = LegacyId(message.name);
  } else {
    fields.Fail("role", "must be system, developer, user, assistant or tool", "invalid_value");
    return;
  }
  if (fields.Find("content") == nullptr && message.role != Role::kTool) {
    fields.Fail("content", "is missing", "missing_required_parameter");
  }
}

}  // namespace

void ParseMessages(Fields& fields, std::string_view body, std::vector<Message>& messages) {
  const Json* list = fields.Array("messages");
  if (fields.failed()) return;
  if (list == nullptr || list->empty()) {
    fields.Fail("messages", "must hold at least one message", "missing_required_parameter");
    return;
  }
  if (list->size() > kMaxMessages) {
    fields.Fail("messages", "holds more than " + std::to_string(kMaxMessages) + " entries",
                "invalid_value");
    return;
  }
  messages.resize(list->size());
  RawList raw(RawMember(body, "messages"));
  for (size_t i = 0; i < list->size() && !fields.failed(); ++i) {
    const std::string name = "messages[" + std::to_string(i) + "]";
    if (!(*list)[i].is_object()) {
      fields.Fail(name, "must be an object", "invalid_type");
      return;
    }
    Fields message((*list)[i], name + ".", fields.error());
    ParseMessage(message, raw, i, messages[i]);
  }
}

}  // namespace skerry::engine::internal
