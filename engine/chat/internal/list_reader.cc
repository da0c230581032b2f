// [TOOL_CALLS] and a JSON list of calls.
#include <utility>

#include "engine/chat/internal/readers.h"

namespace skerry::engine::internal {
namespace {

class ListReader final : public AnswerReader {
 public:
  explicit ListReader(std::vector<OfferedTool> offered) : offered_(std::move(offered)) {}

  Step Push(std::string_view text) override {
    Step step;
    if (state_ == State::kText) {
      step.text = text;
      return step;
    }
    total_ += text.size();
    if (total_ > kMaxBytes) state_ = State::kMalformed;
    for (const char c : text) {
      rest_ += c;
      if (state_ == State::kMalformed) continue;
      if (!Follow(c, step)) state_ = State::kMalformed;
    }
    return step;
  }

  // A second list begins anew.
  Step Mark(std::string_view) override {
    Step step;
    if (state_ == State::kMalformed) step.text = std::exchange(rest_, "");
    rest_.clear();
    total_ = 0;
    state_ = State::kBeforeList;
    return step;
  }

  // A list that lost only its last bracket has said everything.
  Step Finish(bool cut) override {
    Step step;
    const bool complete = state_ == State::kAfterList || (state_ == State::kAfterItem && any_);
    if (!complete && !cut) step.text = std::exchange(rest_, "");
    return step;
  }

 private:
  enum class State {
    kText,  // no list has begun
    kBeforeList,
    kBeforeItem,
    kInItem,
    kAfterItem,
    kAfterList,
    kMalformed,
  };

  // False where it is not a list of objects.
  bool Follow(char c, Step& step) {
    switch (state_) {
      case State::kBeforeList:
        if (c == '[') state_ = State::kBeforeItem;
        return c == '[' || IsJsonSpace(c);
      case State::kBeforeItem:
        if (c != '{') return IsJsonSpace(c);
        state_ = State::kInItem;
        item_at_ = rest_.size() - 1;
        extent_ = {};
        return !extent_.Ends(c);
      case State::kInItem:
        return !extent_.Ends(c) || EndItem(step);
      case State::kAfterItem:
        if (c == ',') state_ = State::kBeforeItem;
        if (c == ']') state_ = State::kAfterList;
        return c == ',' || c == ']' || IsJsonSpace(c);
      case State::kAfterList:
        return IsJsonSpace(c);
      case State::kText:
      case State::kMalformed:
        break;
    }
    return false;
  }

  bool EndItem(Step& step) {
    std::optional<ToolCall> call = ReadCallObject(std::string_view(rest_).substr(item_at_));
    if (!call || !offered_.Has(call->name)) return false;
    step.calls.push_back(std::move(*call));
    any_ = true;
    rest_.clear();
    state_ = State::kAfterItem;
    return true;
  }

  Offered offered_;
  State state_ = State::kText;
  bool any_ = false;
  size_t total_ = 0;
  std::string rest_;  // since the end of the last call
  size_t item_at_ = 0;
  JsonExtent extent_;
};

}  // namespace

std::unique_ptr<AnswerReader> MakeListReader(std::vector<OfferedTool> offered) {
  return std::make_unique<ListReader>(std::move(offered));
}

}  // namespace skerry::engine::internal
