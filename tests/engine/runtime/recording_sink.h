// A sink that keeps what it is given.
#pragma once

#include <future>
#include <optional>
#include <vector>

#include "engine/runtime/engine.h"

namespace skerry::engine::testing {

struct Outcome {
  std::vector<TokenId> tokens;
  std::vector<PositionLogprobs> logprobs;
  std::vector<PositionLogprobs> prompt;
  std::optional<GenerationResult> result;
  std::optional<Error> error;
};

class RecordingSink : public GenerationSink {
 public:
  explicit RecordingSink(size_t stop_after = SIZE_MAX) : stop_after_(stop_after) {}
  void OnPrompt(std::vector<PositionLogprobs> logprobs) override {
    outcome_.prompt = std::move(logprobs);
  }
  bool OnToken(const GeneratedToken& token) override {
    outcome_.tokens.push_back(token.id);
    if (token.logprobs != nullptr) outcome_.logprobs.push_back(*token.logprobs);
    if (outcome_.tokens.size() == 1) first_.set_value();
    return outcome_.tokens.size() < stop_after_;
  }
  void OnFinished(const GenerationResult& result) override {
    outcome_.result = result;
    done_.set_value(outcome_);
  }
  void OnFailed(const Error& error) override {
    outcome_.error = error;
    done_.set_value(outcome_);
  }
  Outcome Wait() { return done_.get_future().get(); }
  void WaitForFirst() { first_.get_future().get(); }

 private:
  size_t stop_after_;
  Outcome outcome_;
  std::promise<Outcome> done_;
  std::promise<void> first_;
};

}  // namespace skerry::engine::testing
