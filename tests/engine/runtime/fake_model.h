// A model for tests: the next token is a function of the whole sequence, which it reads back from
// its paged cache, so that a wrong block, position or order shows as a wrong token.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/model/language_model.h"

namespace skerry::engine::testing {

// Holds a model back between steps until told to go on.
class Gate {
 public:
  void Close() { Set(false); }
  void Open() { Set(true); }
  bool closed() {
    const std::lock_guard lock(mu_);
    return !open_;
  }
  void Wait() {
    std::unique_lock lock(mu_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --waiting_;
  }
  // Returns once the model stands before the gate.
  void AwaitModel() {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }

 private:
  void Set(bool open) {
    const std::lock_guard lock(mu_);
    open_ = open;
    changed_.notify_all();
  }
  std::mutex mu_;
  std::condition_variable changed_;
  bool open_ = true;
  int waiting_ = 0;
};

class FakeModel : public LanguageModel {
 public:
  using Next = std::function<TokenId(const std::vector<TokenId>&)>;

  FakeModel(int32_t vocab_size, int32_t max_position, Next next, Gate* gate = nullptr)
      : next_(std::move(next)), gate_(gate) {
    info_.vocab_size = vocab_size;
    info_.max_position = max_position;
    info_.kv_bytes_per_block = 64;
  }

  // Any sequence gives some token, and a different one nearly always.
  static Next Hash(int32_t vocab_size) {
    return [vocab_size](const std::vector<TokenId>& tokens) {
      uint64_t state = 1469598103934665603u;
      for (const TokenId token : tokens)
        state = (state ^ static_cast<uint64_t>(token)) * 1099511628211u;
      return static_cast<TokenId>(state % static_cast<uint64_t>(vocab_size));
    };
  }
  // The tokens of `script` in order, whatever the prompt of `prompt_length` tokens was; its last
  // for ever.
  static Next Script(size_t prompt_length, std::vector<TokenId> script) {
    return [prompt_length, script = std::move(script)](const std::vector<TokenId>& tokens) {
      return script[std::min(tokens.size() - prompt_length, script.size() - 1)];
    };
  }

  const ModelInfo& info() const override { return info_; }

  Result<void> AllocateCache(int32_t n_blocks) override {
    cache_.assign(static_cast<size_t>(n_blocks) * info_.block_tokens, -1);
    return {};
  }

  DeviceMemory Memory() const override { return {available_bytes_, available_bytes_}; }
  uint64_t StepBytes(int64_t n_rows, int64_t n_logits, int64_t n_keys) const override {
    return static_cast<uint64_t>(n_rows + n_logits + n_keys);
  }
  Result<void> ReserveStep(int64_t, int64_t) override { return {}; }

  Result<void> Forward(std::span<const SequenceChunk> chunks, std::vector<float>& logits) override {
    if (gate_ != nullptr) gate_->Wait();
    if (fail_next_) {
      fail_next_ = false;
      return Error(ErrorCode::kInternal, "as the test wants it");
    }
    logits.clear();
    for (const SequenceChunk& chunk : chunks) {
      for (size_t i = 0; i < chunk.tokens.size(); ++i)
        Slot(chunk, chunk.position + i) = chunk.tokens[i];
      if (chunk.logits == SequenceChunk::Logits::kNone) continue;
      const size_t end = chunk.position + chunk.tokens.size();
      const bool all = chunk.logits == SequenceChunk::Logits::kAll;
      std::vector<TokenId> sequence;
      for (size_t i = 0; i < end; ++i) {
        sequence.push_back(Slot(chunk, i));
        if (i + 1 < end && (!all || i < static_cast<size_t>(chunk.position))) continue;
        const TokenId wanted = next_(sequence);
        for (int32_t id = 0; id < info_.vocab_size; ++id) {
          logits.push_back(id == wanted ? 10.f : static_cast<float>(id % 7) * 0.1f);
        }
      }
    }
    return {};
  }

  void FailNext() { fail_next_ = true; }
  void SetAvailableBytes(uint64_t bytes) { available_bytes_ = bytes; }
  void BecomeEncoder() { info_.generates = false; }

 private:
  TokenId& Slot(const SequenceChunk& chunk, size_t position) {
    const auto block_tokens = static_cast<size_t>(info_.block_tokens);
    const auto block = static_cast<size_t>(chunk.blocks[position / block_tokens]);
    return cache_.at(block * block_tokens + position % block_tokens);
  }

  ModelInfo info_;
  Next next_;
  Gate* gate_;
  bool fail_next_ = false;
  uint64_t available_bytes_ = 1 << 30;
  std::vector<TokenId> cache_;
};

}  // namespace skerry::engine::testing
