// <tool_call>{"name": ..., "arguments": {...}}</tool_call>, the tags as text or as tokens of their
// own.
#include <utility>

#include "engine/chat/internal/readers.h"

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kBegin = "<tool_call>";
constexpr std::string_view kEnd = "</tool_call>";

class HermesReader final : public ToolCallReader {
 public:
  explicit HermesReader(std::vector<std::string> offered) : offered_(std::move(offered)) {}

  Step Push(std::string_view text) override {
    Step step;
    for (const char c : text) Follow(c, step);
    return step;
  }

  Step Mark(std::string_view token) override { return Push(token); }

  Step Finish(bool cut) override {
    Step step;
    const bool begun = state_ == State::kBeforeObject || state_ == State::kInObject;
    const bool blank = any_ && held_.find_first_not_of(" \t\r\n") == std::string::npos;
    if (begun && !cut) {
      ToText(step);
    } else if (state_ == State::kText && !blank) {
      step.text = held_;
    }
    held_.clear();
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

  // Holds back what may become the opening tag, and the white space in front of it.
  void FollowText(char c, Step& step) {
    held_ += c;
    const size_t tag = held_.find_first_not_of(" \t\r\n");
    if (tag == std::string::npos) return LetGo(kBegin.size(), step);
    const std::string_view begun = std::string_view(held_).substr(tag);
    if (begun == kBegin) {
      space_ = held_.substr(0, tag);
      held_.erase(0, tag);
      state_ = State::kBeforeObject;
    } else if (!kBegin.starts_with(begun)) {
      // The last character may begin another one.
      if (c == '<' || IsJsonSpace(c)) {
        step.text.append(held_, 0, held_.size() - 1);
        held_.assign(1, c);
      } else {
        step.text += std::exchange(held_, "");
      }
    }
  }

  // Of white space no more than that is held back.
  void LetGo(size_t most, Step& step) {
    if (held_.size() <= most) return;
    step.text += held_[0];
    held_.erase(0, 1);
  }

  void EndObject(Step& step) {
    std::optional<ToolCall> call = ReadCallObject(std::string_view(held_).substr(object_at_));
    if (!call || !offered_.Has(call->name)) return ToText(step);
    step.calls.push_back(std::move(*call));
    any_ = true;
    held_.clear();
    space_.clear();
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
    step.text += space_ + held_;
    space_.clear();
    held_.clear();
    state_ = State::kText;
  }

  Offered offered_;
  State state_ = State::kText;
  bool any_ = false;
  std::string held_;   // not given out yet
  std::string space_;  // in front of the opening tag
  size_t object_at_ = 0;
  JsonExtent extent_;
};

}  // namespace

std::unique_ptr<ToolCallReader> MakeHermesReader(std::vector<std::string> offered) {
  return std::make_unique<HermesReader>(std::move(offered));
}

}  // namespace skerry::engine::internal
