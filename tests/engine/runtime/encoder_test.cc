#include "engine/runtime/encoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <future>
#include <limits>

#include "tests/engine/runtime/fake_model.h"

namespace skerry::engine {
namespace {

using testing::Gate;
using Inputs = std::vector<std::vector<TokenId>>;

constexpr int32_t kVocabulary = 100;
constexpr int32_t kWidth = 2;

// Its row for a token is {the token, the number of tokens beside it in its input}.
class FakeEncoder : public testing::FakeModel {
 public:
  explicit FakeEncoder(Gate* gate = nullptr, int32_t max_position = 64)
      : FakeModel(kVocabulary, max_position, Hash(kVocabulary)),
        gate_(gate),
        info_(FakeModel::info()) {
    info_.generates = false;
    info_.hidden_size = kWidth;
  }
  const ModelInfo& info() const override { return info_; }

  Result<void> Encode(std::span<const SequenceChunk> chunks, std::vector<float>& hidden) override {
    if (gate_ != nullptr) gate_->Wait();
    hidden.clear();
    std::vector<size_t> sizes;
    for (const SequenceChunk& chunk : chunks) {
      sizes.push_back(chunk.tokens.size());
      const bool all = chunk.logits == SequenceChunk::Logits::kAll;
      for (const TokenId token : all ? chunk.tokens : chunk.tokens.last(1)) {
        if (token == kBroken) return Error(ErrorCode::kInternal, "as the test wants it");
        const float value =
            token == kNan ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(token);
        hidden.insert(hidden.end(), {value, static_cast<float>(chunk.tokens.size())});
      }
    }
    steps.push_back(std::move(sizes));
    return {};
  }

  static constexpr TokenId kBroken = 98;
  static constexpr TokenId kNan = 99;
  std::vector<std::vector<size_t>> steps;  // sizes of the inputs of each

 private:
  Gate* gate_;
  ModelInfo info_;
};

class EncoderTest : public ::testing::Test {
 protected:
  void Start(EncoderOptions options = {}) {
    auto model = std::make_unique<FakeEncoder>(&gate_);
    model_ = model.get();
    auto encoder = Encoder::Start(std::move(model), std::move(options));
    ASSERT_TRUE(encoder) << encoder.error().message();
    encoder_ = std::move(*encoder);
  }
  void TearDown() override { gate_.Open(); }

  struct Answer {
    Result<uint64_t> id;
    std::future<Result<Embeddings>> vectors;
  };
  Answer Submit(Inputs inputs, std::string tenant = "") {
    auto promise = std::make_shared<std::promise<Result<Embeddings>>>();
    auto future = promise->get_future();
    auto id = encoder_->Submit(
        {std::move(inputs), std::move(tenant)},
        [promise](Result<Embeddings> vectors) { promise->set_value(std::move(vectors)); });
    return {std::move(id), std::move(future)};
  }
  // A request that stands in a step until the gate opens.
  Answer Block() {
    gate_.Close();
    Answer answer = Submit({{1}}, "blocker");
    gate_.AwaitModel();
    return answer;
  }

  Gate gate_;
  FakeEncoder* model_ = nullptr;
  std::unique_ptr<Encoder> encoder_;
};

TEST_F(EncoderTest, PoolsAndNormalises) {
  const std::vector<TokenId> input = {3, 5, 10};
  const std::pair<Pooling, std::vector<float>> cases[] = {
      {Pooling::kCls, {3, 3}}, {Pooling::kLast, {10, 3}}, {Pooling::kMean, {6, 3}}};
  for (const auto& [pooling, expected] : cases) {
    Start({.pooling = pooling});
    EXPECT_EQ(Submit({input}).vectors.get().value(), Embeddings{expected});
    Start({.pooling = pooling, .normalise = true});
    const std::vector<float> unit = Submit({input}).vectors.get().value()[0];
    EXPECT_NEAR(std::hypot(unit[0], unit[1]), 1, 1e-6);
  }
}

TEST_F(EncoderTest, OneStepHoldsManyInputsUpToItsTokens) {
  Start({.max_model_len = 8, .max_batched_tokens = 10});
  EXPECT_EQ(encoder_->max_model_len(), 8);
  Answer first = Block();
  Answer list = Submit({{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11}, {12}});
  Answer other = Submit({{20, 21}});
  gate_.Open();
  EXPECT_EQ(list.vectors.get().value(), (Embeddings{{1, 4}, {5, 4}, {9, 3}, {12, 1}}));
  EXPECT_EQ(other.vectors.get().value(), (Embeddings{{20, 2}}));
  EXPECT_TRUE(first.vectors.get());
  encoder_->Stop();
  // Canary, the blocker, and a list that has more behind another's request.
  EXPECT_EQ(model_->steps, (std::vector<std::vector<size_t>>{{1}, {1}, {4, 4}, {2, 3, 1}}));
  const EngineStats stats = encoder_->stats();
  EXPECT_EQ(stats.prompt_tokens, 15U);
  EXPECT_EQ(stats.finished_stop, 3U);
  EXPECT_EQ(stats.n_running + stats.n_waiting, 0);
  EXPECT_EQ(stats.request_time.count(), 3U);
}

TEST_F(EncoderTest, RefusesWhatCannotBeComputed) {
  Start({.max_model_len = 8});
  const Inputs wrong[] = {
      {}, {{}}, {{1}, {}}, {{kVocabulary}}, {{-1}}, {std::vector<TokenId>(9, 1)}};
  for (const Inputs& inputs : wrong) {
    const Answer answer = Submit(inputs);
    ASSERT_FALSE(answer.id);
    EXPECT_EQ(answer.id.error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(Submit({std::vector<TokenId>(8, 1)}).vectors.get());
}

TEST_F(EncoderTest, AFullQueueRefuses) {
  Start({.max_waiting = 3});
  const Answer first = Block();
  std::vector<Answer> waiting;
  for (int i = 0; i < 3; ++i) waiting.push_back(Submit({{2}}, std::to_string(i)));
  const Answer refused = Submit({{2}});
  ASSERT_FALSE(refused.id);
  EXPECT_EQ(refused.id.error().code(), ErrorCode::kUnavailable);
  EXPECT_GE(encoder_->RetryAfterSeconds(), 1);
  EXPECT_EQ(encoder_->stats().n_waiting, 3);
  gate_.Open();
  for (Answer& answer : waiting) EXPECT_TRUE(answer.vectors.get());
}

TEST_F(EncoderTest, BoundsOfInputsAndTokensHoldBesideOthersOnly) {
  Start({.max_waiting_inputs = 4, .max_waiting_tokens = 6});
  EXPECT_TRUE(Submit(Inputs(9, {1, 2})).vectors.get());
  const Answer first = Block();
  EXPECT_FALSE(Submit(Inputs(4, {1})).id);
  EXPECT_FALSE(Submit({{1, 2, 3}, {1, 2, 3}}).id);
  EXPECT_TRUE(Submit({{1, 2}, {1, 2, 3}}).id);
}

TEST_F(EncoderTest, OneTenantLeavesRoomForOthers) {
  Start({.max_waiting = 7});
  const Answer first = Block();
  std::vector<Answer> mine;
  for (int i = 0; i < 5; ++i) mine.push_back(Submit({{2}}, "me"));
  const Answer refused = Submit({{2}}, "me");
  ASSERT_FALSE(refused.id);
  EXPECT_EQ(refused.id.error().code(), ErrorCode::kExhausted);
  EXPECT_TRUE(Submit({{2}}, "another").id);
}

TEST_F(EncoderTest, CancelledRequestsAreNotComputed) {
  Start();
  Answer first = Block();
  Answer second = Submit({{7, 8, 9}});
  encoder_->Cancel(*second.id);
  encoder_->Cancel(*first.id);  // in the step under way
  encoder_->Cancel(12345);
  gate_.Open();
  EXPECT_THROW(first.vectors.get(), std::future_error);
  EXPECT_THROW(second.vectors.get(), std::future_error);
  EXPECT_TRUE(Submit({{3}}).vectors.get());
  encoder_->Stop();
  EXPECT_EQ(model_->steps, (std::vector<std::vector<size_t>>{{1}, {1}, {1}}));
  EXPECT_EQ(encoder_->stats().cancelled, 2U);
}

TEST_F(EncoderTest, AFailedStepFailsItsRequestsAndHealthUntilTheNext) {
  Start();
  for (const TokenId token : {FakeEncoder::kBroken, FakeEncoder::kNan}) {
    const Result<Embeddings> failed = Submit({{1}, {token}}).vectors.get();
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), ErrorCode::kInternal);
  }
  EXPECT_EQ(Submit({{4}}).vectors.get().value(), (Embeddings{{4, 1}}));
  EXPECT_EQ(encoder_->stats().failed, 2U);
}

TEST_F(EncoderTest, ProbesComputeAndDrainAndStopEndInOrder) {
  Start();
  std::promise<bool> alive;
  encoder_->Probe([&](const Result<void>& result) { alive.set_value(result.has_value()); });
  EXPECT_TRUE(alive.get_future().get());
  EXPECT_GE(encoder_->stats().canaries, 1U);
  Answer first = Block();
  bool during_a_step = false;
  encoder_->Probe([&](const Result<void>& result) { during_a_step = result.has_value(); });
  EXPECT_TRUE(during_a_step);
  Answer second = Submit({{2}});
  encoder_->Drain();
  EXPECT_EQ(Submit({{2}}).id.error().code(), ErrorCode::kUnavailable);
  gate_.Open();
  EXPECT_TRUE(first.vectors.get());
  EXPECT_TRUE(second.vectors.get());
  encoder_->Stop();
  bool refused = false;
  encoder_->Probe([&](const Result<void>& result) { refused = !result; });
  EXPECT_TRUE(refused);
}

TEST(EncoderStart, ChecksLengthAndMemory) {
  const auto start = [](int32_t max_model_len, uint64_t bytes) {
    auto model = std::make_unique<FakeEncoder>(nullptr, 20'000);
    model->SetAvailableBytes(bytes);
    return Encoder::Start(std::move(model), {.max_model_len = max_model_len});
  };
  EXPECT_EQ(start(0, 1 << 30).value()->max_model_len(), kLongestDefaultInput);
  EXPECT_EQ(start(20'000, 1 << 30).value()->max_model_len(), 20'000);
  EXPECT_EQ(start(20'001, 1 << 30).error().code(), ErrorCode::kInvalidArgument);
  const auto small = start(0, 2000);
  EXPECT_EQ(small.error().code(), ErrorCode::kExhausted);
  EXPECT_NE(small.error().message().find("--max-model-len"), std::string::npos);
}

}  // namespace
}  // namespace skerry::engine
