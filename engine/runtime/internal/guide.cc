#include "engine/runtime/internal/guide.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <utility>

namespace skerry::engine::internal {

Guide::Guide(std::shared_ptr<Constraint> constraint, bool strip_leading_space)
    : matcher_(constraint, strip_leading_space),
      stops_(constraint->vocabulary().stop_tokens()),
      mask_(constraint->vocabulary().mask_words()) {}

void Guide::Prepare() {
  const auto began = std::chrono::steady_clock::now();
  (void)matcher_.FillMask(mask_);
  can_end_ = matcher_.CanEnd();
  const auto is_set = [&](TokenId token) {
    return (mask_[static_cast<size_t>(token) / 32] >> (token % 32) & 1) != 0;
  };
  // Stop tokens are in the mask exactly where the text may end.
  size_t n_stops = can_end_ ? static_cast<size_t>(std::ranges::count_if(stops_, is_set)) : 0;
  can_go_on_ = false;
  for (const uint32_t word : mask_) {
    const auto bits = static_cast<size_t>(std::popcount(word));
    if (bits > n_stops) {
      can_go_on_ = true;
      break;
    }
    n_stops -= bits;
  }
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

Result<std::optional<TokenId>> Guide::Choose(Sampler& sampler, std::span<float> logits) {
  if (can_end_ && !can_go_on_) return std::optional<TokenId>();
  if (!can_go_on_) return Error(ErrorCode::kInternal, "no token goes on with the grammar's text");
  const Result<TokenId> token = sampler.Sample(logits, mask_);
  if (!token) {
    if (token.error().code() != ErrorCode::kExhausted) return token.error();
    if (can_end_) return std::optional<TokenId>();
    return Error(ErrorCode::kInternal,
                 "the grammar's next tokens are all excluded by other rules of the request");
  }
  if (!matcher_.Accept(*token)) {
    return Error(ErrorCode::kInternal, "a token that the grammar allows was not accepted");
  }
  return std::optional<TokenId>(*token);
}

GuideWorker::GuideWorker() : thread_([this] { Run(); }) {}

GuideWorker::~GuideWorker() {
  {
    const std::lock_guard lock(mu_);
    stopping_ = true;
    begun_.notify_one();
  }
  thread_.join();
}

void GuideWorker::Begin(std::vector<Guide*> guides) {
  if (guides.empty()) return;
  const std::lock_guard lock(mu_);
  guides_ = std::move(guides);
  next_ = 0;
  left_ = guides_.size();
  begun_.notify_one();
}

void GuideWorker::Wait() {
  std::unique_lock lock(mu_);
  while (PrepareOne(lock)) {
  }
  done_.wait(lock, [this] { return left_ == 0; });
}

void GuideWorker::Run() {
  std::unique_lock lock(mu_);
  while (true) {
    begun_.wait(lock, [this] { return stopping_ || next_ < guides_.size(); });
    if (stopping_) return;
    while (PrepareOne(lock)) {
    }
  }
}

// False when there is none left to begin with.
bool GuideWorker::PrepareOne(std::unique_lock<std::mutex>& lock) {
  if (next_ == guides_.size()) return false;
  Guide* const guide = guides_[next_++];
  lock.unlock();
  guide->Prepare();
  lock.lock();
  if (--left_ == 0) done_.notify_all();
  return true;
}

}  // namespace skerry::engine::internal
