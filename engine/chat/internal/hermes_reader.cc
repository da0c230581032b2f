// <tool_call>{"name": ..., "arguments": {...}}</tool_call>, the tags as text or as tokens of their
// own.
#include <utility>

#include "engine/chat/internal/readers.h"

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kBegin = "<tool_call>";
constexpr std::string_view kEnd = "</tool_call>";

class HermesReader final : public AnswerReader {
 public:
  explicit HermesReader(std::vector<OfferedTool> offered) : offered_(std::move(offered)) {}

  Step Push(std::string_view text) override {
    Step step;
    for (const char c : text) Follow(c, step);
    return step;
  }

  Step Mark(std::string_view token) override { return Push(token); }

  Step Finish(bool cut) override {
    Step step;
    switch (state_) {
      case State::kText:
        if (!any_ || !finder_.blank()) step.text = finder_.Take();
        break;
      case State::kBeforeObject:
      case State::kInObject:
        if (!cut) ToText(step);
        break;
      case State::kAfterObject:
        break;
    }
    return step;
  }

 private:
  enum class State { kText, kBeforeObject, kInObject, kAfterObject };

  void Follow(char c, Step& step) {
    switch (state_) {
      case State::kText:
        return FollowText(c, step);
      case State::kBeforeObject:
        held_ += c;
        if (IsJsonSpace(c)) {
          if (held_.size() >= kMaxBytes) ToText(step);
          return;
        }
        if (c != '{') return ToText(step);
        state_ = State::kInObject;
        object_at_ = held_.size() - 1;
        extent_ = {};
        extent_.Ends(c);
        return;
      case State::kInObject:
        held_ += c;
        if (held_.size() >= kMaxBytes) return ToText(step);
        if (extent_.Ends(c)) EndObject(step);
        return;
      case State::kAfterObject:
        return FollowEnd(c, step);
    }
  }

  void FollowText(char c, Step& step) {
    if (!finder_.Follow(c, step.text)) return;
    held_ = finder_.Take();
    state_ = State::kBeforeObject;
  }

  void EndObject(Step& step) {
    std::optional<ToolCall> call = ReadCallObject(std::string_view(held_).substr(object_at_));
    if (!call || !offered_.Has(call->name)) return ToText(step);
    step.calls.push_back(std::move(*call));
    any_ = true;
    held_.clear();
    state_ = State::kAfterObject;
  }

  // The closing tag, or what stands instead of it.
  void FollowEnd(char c, Step& step) {
    if (held_.empty() && IsJsonSpace(c)) return;
    held_ += c;
    if (held_ == kEnd) {
      held_.clear();
      state_ = State::kText;
    } else if (!kEnd.starts_with(held_)) {
      state_ = State::kText;
      const std::string text = std::exchange(held_, "");
      for (const char again : text) FollowText(again, step);
    }
  }

  void ToText(Step& step) {
    step.text += std::exchange(held_, "");
    state_ = State::kText;
  }

  Offered offered_;
  State state_ = State::kText;
  bool any_ = false;
  TagFinder finder_{{kBegin}};
  std::string held_;  // since the opening tag, with the white space in front of it
  size_t object_at_ = 0;
  JsonExtent extent_;
};

}  // namespace

std::unique_ptr<AnswerReader> MakeHermesReader(std::vector<OfferedTool> offered) {
  return std::make_unique<HermesReader>(std::move(offered));
}

}  // namespace skerry::engine::internal
