#include "engine/api/reply.h"

#include <gtest/gtest.h>

#include "engine/tokenizer/load.h"
#include "tests/engine/api/recording_responder.h"

namespace skerry::engine {
namespace {

using testing::RecordingResponder;

class ReplyTest : public ::testing::Test {
 protected:
  ReplyTest() {
    auto loaded = LoadTokenizer(SKERRY_SOURCE_DIR "/installer/demo-model/model");
    tokenizer_ = std::move(loaded->tokenizer);
  }
  Reply Make(bool stream, bool tools = false) {
    AnswerOptions options;
    options.strip_leading_space = true;
    if (tools) options.reading.tools = ToolNotation::kMistralList;
    return Reply(responder_, {"chatcmpl-1", "M", 7, true, false}, stream, 3,
                 Answer(*tokenizer_, options), clock_);
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::shared_ptr<RecordingResponder> responder_ = std::make_shared<RecordingResponder>();
  FakeClock clock_;
};

TEST_F(ReplyTest, PingsOnlySilentStreams) {
  Reply reply = Make(true);
  clock_.Advance(9'999);
  EXPECT_TRUE(reply.Ping(10'000));
  EXPECT_TRUE(responder_->writes.empty());
  clock_.Advance(1);
  EXPECT_TRUE(reply.Ping(10'000));
  EXPECT_EQ(responder_->writes, std::vector<std::string>{": ping\n\n"});
  EXPECT_TRUE(reply.Ping(10'000));
  EXPECT_EQ(responder_->writes.size(), 1u);
  clock_.Advance(8'000);
  reply.OnToken({tokenizer_->Encode("x").back()});
  clock_.Advance(8'000);
  const size_t before = responder_->writes.size();
  reply.Ping(10'000);
  EXPECT_EQ(responder_->writes.size(), before);
  reply.OnFinished({FinishReason::kStop, 2});
  clock_.Advance(20'000);
  EXPECT_FALSE(reply.Ping(10'000));
}

TEST_F(ReplyTest, WholeRepliesAreNotPinged) {
  Reply reply = Make(false);
  clock_.Advance(60'000);
  EXPECT_TRUE(reply.Ping(10'000));
  EXPECT_TRUE(responder_->writes.empty());
}

TEST_F(ReplyTest, AClientThatReadsTooSlowlyIsCutOff) {
  Reply reply = Make(true);
  responder_->backlog = kMaxBacklogBytes + 1;
  EXPECT_FALSE(reply.OnToken({tokenizer_->Encode("x").back()}));
  EXPECT_TRUE(responder_->aborted);
  reply.OnFinished({FinishReason::kStop, 1});
  EXPECT_FALSE(responder_->finished);
}

TEST_F(ReplyTest, FailuresInAStreamAreAnErrorEventWithoutDone) {
  Reply reply = Make(true);
  reply.OnToken({tokenizer_->Encode("x").back()});
  reply.OnFailed(Error(ErrorCode::kInternal, "broken"));
  EXPECT_TRUE(responder_->writes.back().starts_with("event: error\ndata: {\"error\":"));
  EXPECT_TRUE(responder_->finished);
  EXPECT_TRUE(responder_->trailers.empty());  // no usage: the reply was cut
}

TEST_F(ReplyTest, FailuresBeforeAWholeReplyAreItsStatus) {
  Reply reply = Make(false);
  reply.OnFailed(Error(ErrorCode::kUnavailable, "stopping"));
  ASSERT_EQ(responder_->sent.size(), 1u);
  EXPECT_EQ(responder_->sent[0].status, 503);
}

TEST_F(ReplyTest, EachEventIsOneWriteAndUsageIsInTheTrailer) {
  Reply reply = Make(true);
  for (const TokenId token : tokenizer_->Encode("hi \xF0\x9F\xA6\x99")) reply.OnToken({token});
  reply.OnFinished({FinishReason::kLength, 9});
  std::string all;
  for (const std::string& write : responder_->writes) {
    EXPECT_TRUE(write.starts_with("data: ") && write.find("\n\n") == write.size() - 2) << write;
    all += write;
  }
  EXPECT_NE(all.find("\\ud83e\\udd99"), std::string::npos);
  EXPECT_EQ(all.find("\\ufffd"), std::string::npos);
  EXPECT_TRUE(all.ends_with("data: [DONE]\n\n"));
  EXPECT_EQ(responder_->trailers,
            (http::HeaderList{{"skerry-usage", "prompt=3 completion=9 finish=length"}}));
}

TEST_F(ReplyTest, CallsHaveIdsOfTheirOwn) {
  Reply reply = Make(true, /*tools=*/true);
  reply.OnToken({5});
  for (const TokenId token : tokenizer_->Encode(
           R"([{"name": "a", "arguments": {}, "id": "x"}, {"name": "b", "arguments": {}}])")) {
    reply.OnToken({token});
  }
  reply.OnFinished({FinishReason::kStop, 9});
  std::string all;
  for (const std::string& write : responder_->writes) all += write;
  EXPECT_NE(all.find(NineCharacterId("chatcmpl-1/0")), std::string::npos) << all;
  EXPECT_NE(all.find(NineCharacterId("chatcmpl-1/1")), std::string::npos) << all;
  EXPECT_NE(all.find("\"finish_reason\":\"tool_calls\""), std::string::npos);
}

}  // namespace
}  // namespace skerry::engine
