// Thoughts between two marks, in front of an answer or between its parts. The white space around
// thoughts belongs to nobody.
#include <utility>

#include "engine/chat/internal/readers.h"

namespace skerry::engine::internal {
namespace {

class ReasoningReader final : public AnswerReader {
 public:
  ReasoningReader(ReasoningMarks marks, bool by_token, bool starts_inside,
                  std::unique_ptr<AnswerReader> rest)
      : marks_(marks),
        by_token_(by_token),
        state_(starts_inside ? State::kThoughts : State::kStart),
        rest_(std::move(rest)) {}

  Step Push(std::string_view text) override {
    Step step;
    std::string answer;
    for (size_t i = 0; i < text.size(); ++i) {
      if (state_ == State::kAnswer) {
        answer += text.substr(i);
        break;
      }
      Follow(text[i], step, answer);
    }
    if (!answer.empty()) AddRest(rest_->Push(answer), step);
    return step;
  }

  Step Mark(std::string_view token) override {
    Step step;
    if (by_token_ && token == marks_.begin) {
      if (state_ != State::kThoughts) Begin();
    } else if (by_token_ && token == marks_.end) {
      if (state_ == State::kThoughts) End();
    } else {
      // A call begins: thoughts that were not closed end here, too.
      if (state_ == State::kThoughts) End();
      if (state_ == State::kStart) Release(step);
      state_ = State::kAnswer;
      AddRest(rest_->Mark(token), step);
    }
    return step;
  }

  Step Finish(bool cut) override {
    Step step;
    if (state_ == State::kThoughts && held_.find_first_not_of(kSpace) != std::string::npos) {
      Think(held_, step);
    }
    if (state_ == State::kStart) Release(step);
    held_.clear();
    AddRest(rest_->Finish(cut), step);
    return step;
  }

 private:
  static constexpr std::string_view kSpace = " \t\r\n";
  static constexpr size_t kMaxSpace = 4096;  // held back at a time

  enum class State {
    kStart,     // nothing but white space so far; it is held
    kThoughts,  // white space, and what may become the end mark, is held
    kAfter,     // behind thoughts: white space is skipped
    kAnswer,
  };

  void Follow(char c, Step& step, std::string& answer) {
    switch (state_) {
      case State::kStart:
        held_ += c;
        if (IsJsonSpace(c) && MarkPart().empty() && held_.size() < kMaxSpace) return;
        if (!by_token_ && !MarkPart().empty() && marks_.begin.starts_with(MarkPart())) {
          if (MarkPart() == marks_.begin) Begin();
          return;
        }
        answer += std::exchange(held_, "");
        state_ = State::kAnswer;
        return;
      case State::kThoughts:
        return FollowThought(c, step);
      case State::kAfter:
        if (IsJsonSpace(c)) return;
        state_ = State::kAnswer;
        answer += c;
        return;
      case State::kAnswer:
        answer += c;
        return;
    }
  }

  // Of what is held, that behind the white space.
  std::string_view MarkPart() const {
    const size_t at = held_.find_first_not_of(kSpace);
    return at == std::string::npos ? std::string_view() : std::string_view(held_).substr(at);
  }

  void FollowThought(char c, Step& step) {
    held_ += c;
    if (!by_token_) {
      const std::string_view part = MarkPart();
      if (!part.empty() && marks_.end.starts_with(part)) {
        if (part == marks_.end) End();
        return;
      }
      // The last character may begin the mark.
      if (c == marks_.end.front() && held_.size() > 1) {
        held_.pop_back();
        Think(std::exchange(held_, ""), step);
        held_ = c;
        return;
      }
    }
    if (IsJsonSpace(c) && held_.size() < kMaxSpace) {
      if (MarkPart().empty()) return;
      held_.pop_back();
      Think(std::exchange(held_, ""), step);
      held_ = c;
      return;
    }
    Think(std::exchange(held_, ""), step);
  }

  void Think(std::string_view text, Step& step) {
    if (!begun_) {
      const size_t at = text.find_first_not_of(kSpace);
      if (at == std::string_view::npos) return;
      text.remove_prefix(at);
      begun_ = true;
      if (any_) step.reasoning += "\n\n";
      any_ = true;
    }
    step.reasoning += text;
  }

  void Begin() {
    held_.clear();
    begun_ = false;
    state_ = State::kThoughts;
  }

  void End() {
    held_.clear();
    state_ = State::kAfter;
  }

  // What was held in front of an answer without thoughts is its beginning.
  void Release(Step& step) {
    if (!held_.empty()) AddRest(rest_->Push(std::exchange(held_, "")), step);
    state_ = State::kAnswer;
  }

  static void AddRest(Step more, Step& step) {
    step.reasoning += more.reasoning;
    step.text += more.text;
    for (ToolCall& call : more.calls) step.calls.push_back(std::move(call));
  }

  const ReasoningMarks marks_;
  const bool by_token_;
  State state_;
  bool begun_ = false;  // these thoughts have said something
  bool any_ = false;    // some thoughts have
  std::string held_;
  std::unique_ptr<AnswerReader> rest_;
};

}  // namespace

std::unique_ptr<AnswerReader> MakeReasoningReader(ReasoningMarks marks, bool by_token,
                                                  bool starts_inside,
                                                  std::unique_ptr<AnswerReader> rest) {
  return std::make_unique<ReasoningReader>(marks, by_token, starts_inside, std::move(rest));
}

}  // namespace skerry::engine::internal
