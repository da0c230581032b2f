// Calls as the whole answer: {"name": ..., "parameters": {...}}, several apart by ';' or white
// space, perhaps behind the token <|python_tag|>.
#include <utility>

#include "engine/chat/internal/readers.h"

namespace skerry::engine::internal {
namespace {

class LlamaReader final : public AnswerReader {
 public:
  explicit LlamaReader(std::vector<OfferedTool> offered) : offered_(std::move(offered)) {}

  Step Push(std::string_view text) override {
    Step step;
    for (size_t i = 0; i < text.size(); ++i) {
      if (state_ == State::kText) {
        step.text += text.substr(i);
        return step;
      }
      Follow(text[i], step);
    }
    return step;
  }

  // A call may follow, whatever was before.
  Step Mark(std::string_view) override {
    Step step;
    step.text = std::exchange(held_, "");
    state_ = State::kBeforeObject;
    return step;
  }

  Step Finish(bool cut) override {
    Step step;
    if (state_ != State::kInObject || !cut) step.text = any_ && IsBlank() ? "" : held_;
    held_.clear();
    return step;
  }

 private:
  enum class State { kBeforeObject, kInObject, kText };

  bool IsBlank() const { return held_.find_first_not_of(" \t\r\n;") == std::string::npos; }

  void Follow(char c, Step& step) {
    held_ += c;
    if (held_.size() >= kMaxBytes) return ToText(step);
    if (state_ == State::kBeforeObject) {
      if (IsJsonSpace(c) || (any_ && c == ';')) return;
      if (c != '{') return ToText(step);
      state_ = State::kInObject;
      object_at_ = held_.size() - 1;
      extent_ = {};
    }
    if (!extent_.Ends(c)) return;
    std::optional<ToolCall> call = ReadCallObject(std::string_view(held_).substr(object_at_));
    if (!call || !offered_.Has(call->name)) return ToText(step);
    step.calls.push_back(std::move(*call));
    any_ = true;
    held_.clear();
    state_ = State::kBeforeObject;
  }

  void ToText(Step& step) {
    step.text += std::exchange(held_, "");
    state_ = State::kText;
  }

  Offered offered_;
  State state_ = State::kBeforeObject;
  bool any_ = false;
  std::string held_;  // not given out yet
  size_t object_at_ = 0;
  JsonExtent extent_;
};

}  // namespace

std::unique_ptr<AnswerReader> MakeLlamaReader(std::vector<OfferedTool> offered) {
  return std::make_unique<LlamaReader>(std::move(offered));
}

}  // namespace skerry::engine::internal
