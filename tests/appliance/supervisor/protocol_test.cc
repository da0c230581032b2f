#include "appliance/supervisor/protocol.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace skerry::supervisor {
namespace {

const std::string kDigest = "sha256-" + std::string(64, 'a');

TEST(SupervisorProtocolTest, RequestsGoRound) {
  const StartRequest start{"0a1b2c3d", kDigest, {"--max-model-len", "2048"}};
  const Result<Request> parsed = ParseRequest(DumpJson(RequestToJson(start)));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
  EXPECT_EQ(std::get<StartRequest>(*parsed), start);
  EXPECT_EQ(std::get<StopRequest>(*ParseRequest(R"({"op":"stop","id":"0a1b2c3d"})")).id,
            "0a1b2c3d");
  EXPECT_TRUE(std::holds_alternative<ListRequest>(*ParseRequest(R"({"op":"list"})")));
  EXPECT_TRUE(
      ParseRequest(R"({"op":"start","id":"0a1b2c3d","model":")" + kDigest + R"("})").has_value());
}

TEST(SupervisorProtocolTest, RefusesEverythingElse) {
  const auto start = [](const std::string& id, const std::string& model, const std::string& flags) {
    return R"({"op":"start","id":")" + id + R"(","model":")" + model + R"(","flags":)" + flags +
           "}";
  };
  ASSERT_TRUE(ParseRequest(start("0a1b2c3d", kDigest, "[]")).has_value());
  const std::string bad[] = {
      "",
      "[]",
      R"({"op":"exec"})",
      R"({"op":"list","id":"0a1b2c3d"})",
      R"({"op":"stop"})",
      R"({"op":"stop","id":"../../etc"})",
      start("0A1B2C3D", kDigest, "[]"),
      start("../../ab", kDigest, "[]"),
      start("0a1b2c3d", "sha256-" + std::string(63, 'a'), "[]"),
      start("0a1b2c3d", "sha256-" + std::string(61, 'a') + "/..", "[]"),
      start("0a1b2c3d", "../" + kDigest, "[]"),
      start("0a1b2c3d", kDigest, "{}"),
      start("0a1b2c3d", kDigest, "[1]"),
      start("0a1b2c3d", kDigest, R"(["--listen","unix:/tmp/x"])"),
      start("0a1b2c3d", kDigest, R"(["--model","x"])"),
      start("0a1b2c3d", kDigest, R"(["--max-model-len"])"),
      start("0a1b2c3d", kDigest, R"(["--max-model-len","--threads"])"),
      start("0a1b2c3d", kDigest, R"(["--max-model-len=5"])"),
      start("0a1b2c3d", kDigest, R"(["--load-format","/etc/passwd"])"),
      start("0a1b2c3d", kDigest, R"(["--load-format","a b"])"),
      start("0a1b2c3d", kDigest, R"(["--load-format",""])"),
      R"({"op":"start","id":"0a1b2c3d","model":")" + kDigest + R"(","path":"/x"})",
  };
  for (const std::string& line : bad) EXPECT_FALSE(ParseRequest(line).has_value()) << line;
}

TEST(SupervisorProtocolTest, Flags) {
  EXPECT_TRUE(CheckFlags({"--enable-auto-tool-choice", "--tool-call-parser", "mistral"}));
  EXPECT_TRUE(CheckFlags({"--reasoning-parser", "none"}));
  EXPECT_TRUE(CheckFlags({"--gpu-memory-utilization", "0.9"}));
  std::vector<std::string> many(kMaxFlags + 1, "--enable-auto-tool-choice");
  EXPECT_FALSE(CheckFlags(many));
  const Result<void> refused = CheckFlags({"--evil"});
  EXPECT_NE(refused.error().message().find("--evil"), std::string::npos);
}

}  // namespace
}  // namespace skerry::supervisor
