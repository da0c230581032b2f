// [TOOL_CALLS]name[ARGS]{...}, with [CALL_ID]id between name and arguments in some versions.
#include <utility>

#include "engine/chat/internal/readers.h"

namespace skerry::engine::internal {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsJsonSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsJsonSpace(text.back())) text.remove_suffix(1);
  return text;
}

class NamedReader final : public AnswerReader {
 public:
  explicit NamedReader(std::vector<OfferedTool> offered) : offered_(std::move(offered)) {}

  Step Push(std::string_view text) override {
    Step step;
    for (const char c : text) Follow(c, step);
    return step;
  }

  Step Mark(std::string_view token) override {
    Step step;
    if (token == "[TOOL_CALLS]") {
      GiveUp(step);
      state_ = State::kName;
    } else if (token == "[CALL_ID]" && state_ == State::kName) {
      state_ = State::kId;
    } else if (token == "[ARGS]" && (state_ == State::kName || state_ == State::kId)) {
      state_ = State::kArguments;
    }
    return step;
  }

  Step Finish(bool cut) override {
    Step step;
    if (!cut) GiveUp(step);
    return step;
  }

 private:
  enum class State { kText, kName, kId, kArguments, kAfterCall };

  void Follow(char c, Step& step) {
    if (state_ == State::kAfterCall) {
      if (IsJsonSpace(c)) return;
      state_ = State::kText;
    }
    if (state_ == State::kText) {
      step.text += c;
      return;
    }
    if (name_.size() + arguments_.size() + id_.size() >= kMaxBytes) {
      GiveUp(step);
      step.text += c;
      return;
    }
    if (state_ == State::kName && c != '{') {
      name_ += c;
    } else if (state_ == State::kId) {
      id_ += c;
    } else {  // a name may run into its arguments without a token between
      state_ = State::kArguments;
      FollowArguments(c, step);
    }
  }

  void FollowArguments(char c, Step& step) {
    if (arguments_.empty() && IsJsonSpace(c)) return;
    arguments_ += c;
    if (arguments_[0] != '{') return GiveUp(step);
    if (!extent_.Ends(c)) return;
    const std::string_view name = Trim(name_);
    if (!offered_.Has(name) || name.empty() || !IsJsonObject(arguments_)) return GiveUp(step);
    step.calls.push_back({"", std::string(name), std::move(arguments_)});
    Clear();
    state_ = State::kAfterCall;
  }

  // What was read of a call is text.
  void GiveUp(Step& step) {
    step.text += name_ + arguments_;
    Clear();
    state_ = State::kText;
  }

  void Clear() {
    name_.clear();
    id_.clear();
    arguments_.clear();
    extent_ = {};
  }

  Offered offered_;
  State state_ = State::kText;
  std::string name_;
  std::string id_;
  std::string arguments_;
  JsonExtent extent_;
};

}  // namespace

std::unique_ptr<AnswerReader> MakeNamedReader(std::vector<OfferedTool> offered) {
  return std::make_unique<NamedReader>(std::move(offered));
}

}  // namespace skerry::engine::internal
