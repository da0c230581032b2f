// Calls as XML, the values as bare text: <tool_call><function=NAME><parameter=KEY>VALUE</parameter>
// ...</function></tool_call>, or <tool_call>NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value>
// ...</tool_call>.
#include <algorithm>
#include <map>
#include <utility>

#include "engine/chat/internal/readers.h"
#include "engine/chat/internal/typed_arguments.h"
#include "engine/chat/json_text.h"

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kCall = "<tool_call>";
constexpr std::string_view kCallEnd = "</tool_call>";
constexpr std::string_view kFunction = "<function=";
constexpr std::string_view kFunctionEnd = "</function>";
constexpr std::string_view kParameter = "<parameter=";
constexpr std::string_view kParameterEnd = "</parameter>";
constexpr std::string_view kKey = "<arg_key>";
constexpr std::string_view kKeyEnd = "</arg_key>";
constexpr std::string_view kValue = "<arg_value>";
constexpr std::string_view kValueEnd = "</arg_value>";

using Argument = std::pair<std::string_view, std::string_view>;

struct RawCall {
  std::string_view name;
  std::vector<Argument> arguments;
};

std::string_view TrimLeft(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text;
}

std::string_view Trim(std::string_view text) {
  text = TrimLeft(text);
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

// `part` at the beginning of `text`, which is taken away.
bool Eat(std::string_view part, std::string_view& text) {
  if (!text.starts_with(part)) return false;
  text.remove_prefix(part.size());
  return true;
}

// The text in front of `part`; both are taken away. nullopt where there is none.
std::optional<std::string_view> EatUntil(std::string_view part, std::string_view& text) {
  const size_t at = text.find(part);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view before = text.substr(0, at);
  text.remove_prefix(at + part.size());
  return before;
}

// A value that ends at an `end` behind which the call goes on with `next` or is over: a value may
// hold the end tag, too. Up to `next` where the tag is missing.
std::optional<std::string_view> EatValue(std::string_view end, std::string_view next,
                                         std::string_view& text) {
  for (size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at + 1)) {
    std::string_view rest = text.substr(at);
    const bool missing = at > 0 && text[at - 1] == '\n' && rest.starts_with(next);
    if (!missing) {
      if (!Eat(end, rest)) continue;
      const std::string_view behind = TrimLeft(rest);
      if (!behind.empty() && !behind.starts_with(next)) continue;
    }
    const std::string_view value = text.substr(0, at);
    text = rest;
    return value;
  }
  return std::nullopt;
}

// `block`: from behind <tool_call> to in front of </function>.
std::optional<RawCall> ParseQwen(std::string_view block) {
  RawCall call;
  block = TrimLeft(block);
  if (!Eat(kFunction, block)) return std::nullopt;
  const auto name = EatUntil(">", block);
  if (!name) return std::nullopt;
  call.name = Trim(*name);
  for (block = TrimLeft(block); !block.empty(); block = TrimLeft(block)) {
    if (!Eat(kParameter, block)) return std::nullopt;
    const auto key = EatUntil(">", block);
    if (!key) return std::nullopt;
    std::optional<std::string_view> value = EatValue(kParameterEnd, kParameter, block);
    if (!value) value = std::exchange(block, {});
    // The line breaks beside the tags belong to them.
    if (value->starts_with('\n')) value->remove_prefix(1);
    if (value->ends_with('\n')) value->remove_suffix(1);
    call.arguments.emplace_back(Trim(*key), *value);
  }
  return call;
}

// `block`: what is between <tool_call> and </tool_call>.
std::optional<RawCall> ParseGlm(std::string_view block) {
  RawCall call;
  const size_t name_end = std::min(block.find('<'), block.size());
  call.name = Trim(block.substr(0, name_end));
  block.remove_prefix(name_end);
  for (block = TrimLeft(block); !block.empty(); block = TrimLeft(block)) {
    if (!Eat(kKey, block)) return std::nullopt;
    const auto key = EatUntil(kKeyEnd, block);
    block = TrimLeft(block);
    if (!key || !Eat(kValue, block)) return std::nullopt;
    const auto value = EatValue(kValueEnd, kKey, block);
    if (!value) return std::nullopt;
    call.arguments.emplace_back(Trim(*key), *value);
  }
  return call;
}

// The arguments as an object; of two values of one key the later counts.
std::string ArgumentsJson(const std::vector<Argument>& arguments, std::string_view schema) {
  const ArgumentTypes types(schema);
  std::map<std::string_view, size_t> last;  // by key; no hash: the model chooses the keys
  for (size_t i = 0; i < arguments.size(); ++i) last[arguments[i].first] = i;
  std::string json = "{";
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto& [key, value] = arguments[i];
    if (last[key] != i) continue;
    if (json.size() > 1) json += ", ";
    json += QuoteJson(key) + ": " + types.ToJson(key, value);
  }
  return json + "}";
}

class XmlReader final : public AnswerReader {
 public:
  XmlReader(bool glm, std::vector<OfferedTool> offered)
      : glm_(glm), offered_(std::move(offered)), finder_(Tags(glm)) {}

  Step Push(std::string_view text) override {
    Step step;
    for (const char c : text) Follow(c, step);
    return step;
  }

  Step Mark(std::string_view token) override { return Push(token); }

  Step Finish(bool cut) override {
    Step step;
    if (state_ == State::kBlock && !cut) {
      ToText(step);
    } else if (state_ == State::kText && (!any_ || !finder_.blank())) {
      step.text = finder_.Take();
    }
    return step;
  }

 private:
  enum class State { kText, kBlock, kAfterCall };

  // Models leave the outer tag out at times.
  static std::vector<std::string_view> Tags(bool glm) {
    if (glm) return {kCall};
    return {kCall, kFunction};
  }

  void Follow(char c, Step& step) {
    switch (state_) {
      case State::kText: {
        const auto tag = finder_.Follow(c, step.text);
        if (!tag) return;
        block_ = finder_.Take();
        begin_ = *tag == kCall ? block_.size() : block_.size() - tag->size();
        state_ = State::kBlock;
        return;
      }
      case State::kBlock:
        block_ += c;
        if (block_.size() >= kMaxBytes) return ToText(step);
        if (c == '>') LookForEnd(step);
        return;
      case State::kAfterCall:
        return FollowEnd(c, step);
    }
  }

  void LookForEnd(Step& step) {
    const std::string_view block = std::string_view(block_).substr(begin_);
    if (glm_) {
      if (!block.ends_with(kCallEnd)) return;
      const std::string_view inner = block.substr(0, block.size() - kCallEnd.size());
      const bool whole =
          inner.find('<') == std::string_view::npos || Trim(inner).ends_with(kValueEnd);
      if (whole) Call(ParseGlm(inner), State::kText, step);
      return;
    }
    // A value may hold </function>: the call is over behind a parameter's end or its own head.
    if (block.ends_with(kFunctionEnd)) {
      const std::string_view inner = block.substr(0, block.size() - kFunctionEnd.size());
      const std::string_view trimmed = Trim(inner);
      if (trimmed.ends_with(kParameterEnd) || inner.find(kParameter) == std::string_view::npos) {
        Call(ParseQwen(inner), State::kAfterCall, step);
      }
    } else if (block.ends_with(kCallEnd)) {
      const std::string_view inner = Trim(block.substr(0, block.size() - kCallEnd.size()));
      if (!inner.ends_with(kFunctionEnd)) return;
      Call(ParseQwen(inner.substr(0, inner.size() - kFunctionEnd.size())), State::kText, step);
    }
  }

  void Call(const std::optional<RawCall>& raw, State next, Step& step) {
    if (!raw || raw->name.empty() || !offered_.Has(raw->name)) return ToText(step);
    ToolCall call;
    call.name = raw->name;
    call.arguments = ArgumentsJson(raw->arguments, offered_.Schema(raw->name));
    if (!IsJsonObject(call.arguments)) return ToText(step);
    step.calls.push_back(std::move(call));
    any_ = true;
    block_.clear();
    state_ = next;
  }

  // The outer closing tag, or what stands instead of it.
  void FollowEnd(char c, Step& step) {
    if (block_.empty() && IsJsonSpace(c)) return;
    block_ += c;
    if (block_ == kCallEnd) {
      block_.clear();
      state_ = State::kText;
    } else if (!kCallEnd.starts_with(block_)) {
      state_ = State::kText;
      const std::string text = std::exchange(block_, "");
      for (const char again : text) Follow(again, step);
    }
  }

  void ToText(Step& step) {
    step.text += std::exchange(block_, "");
    state_ = State::kText;
  }

  const bool glm_;
  const Offered offered_;
  TagFinder finder_;
  State state_ = State::kText;
  bool any_ = false;
  std::string block_;  // since the opening tag, with the white space in front of it
  size_t begin_ = 0;   // of the call itself in it
};

}  // namespace

std::unique_ptr<AnswerReader> MakeXmlReader(ToolNotation notation,
                                            std::vector<OfferedTool> offered) {
  return std::make_unique<XmlReader>(notation == ToolNotation::kGlm, std::move(offered));
}

}  // namespace skerry::engine::internal
