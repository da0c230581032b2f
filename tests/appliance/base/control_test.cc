#include "appliance/base/control.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"

namespace skerry {
namespace {

// Answers one connection with `reply`; gives what was asked.
class OneAnswer {
 public:
  OneAnswer(const std::string& path, std::string reply)
      : listener_(std::move(ListenUnix(path)).value()), thread_([this, reply = std::move(reply)] {
          const UniqueFd client = std::move(AcceptUnix(listener_.get())).value();
          request_ = ReadLine(client.get(), kMaxControlLineBytes).value();
          (void)WriteFully(client.get(), reply).has_value();
        }) {}
  ~OneAnswer() { thread_.join(); }
  std::string request_;

 private:
  UniqueFd listener_;
  std::thread thread_;
};

class ControlTest : public ::testing::Test {
 protected:
  Result<Json> Call(const std::string& reply) {
    const std::string path = directory_.path() + "/s";
    std::string request;
    Result<Json> result = Json();
    {
      OneAnswer server(path, reply);
      result = CallControl(path, {{"op", "list"}}, 5'000);
    }
    return result;
  }
  testing::TemporaryDirectory directory_;
};

TEST_F(ControlTest, AnswersAndErrors) {
  EXPECT_EQ(Call("{\"ok\":true}\n").value()["ok"], true);
  const Error sent(ErrorCode::kNotFound, "no such thing");
  const Result<Json> refused = Call(ControlReply(sent));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(refused.error().message(), "no such thing");
}

TEST_F(ControlTest, BadAnswers) {
  EXPECT_EQ(Call("").error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(Call("{\"ok\":true}").error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(Call("[]\n").error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(Call("ok\n").error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(Call("{\"error\":1}\n").error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(Call("{\"error\":{\"code\":\"new\",\"message\":\"m\"}}\n").error().code(),
            ErrorCode::kInternal);
}

TEST_F(ControlTest, NobodyListensOrAnswers) {
  const std::string path = directory_.path() + "/s";
  EXPECT_EQ(CallControl(path, Json::object(), 100).error().code(), ErrorCode::kUnavailable);
  const UniqueFd listener = std::move(ListenUnix(path)).value();
  EXPECT_EQ(CallControl(path, Json::object(), 50).error().code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace skerry
