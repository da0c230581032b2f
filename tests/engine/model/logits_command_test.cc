#include "engine/model/logits_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/base/testing/fixtures.h"
#include "tests/engine/model/golden.h"

namespace skerry::engine {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(LogitsCommandTest, PrintsTheDocument) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const json golden = testing::ReadJsonFile(fixtures + "/stories260k/golden.json");
  const auto text = RunLogits({fixtures + "/stories260k/hf", "1 403", 200, 2});
  ASSERT_TRUE(text) << text.error().message();
  EXPECT_EQ(text->back(), '\n');
  const json out = json::parse(*text);
  EXPECT_EQ(out.size(), 3U);
  EXPECT_EQ(out["tokens"], golden["tokens"]);
  EXPECT_EQ(out["greedy"], golden["greedy"]);
  ASSERT_EQ(out["logits"].size(), 2U);
  const auto last = out["logits"][1].get<std::vector<float>>();
  EXPECT_LE(testing::RelativeDifference(last, golden["last_logits"].get<std::vector<float>>()),
            1e-4);
}

TEST(LogitsCommandTest, GreedyIsOptional) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const auto text = RunLogits({fixtures + "/stories260k/hf", " 1\n403\t407 ", 0, 1});
  ASSERT_TRUE(text) << text.error().message();
  const json out = json::parse(*text);
  EXPECT_THAT(out["tokens"].get<std::vector<int>>(), ElementsAre(1, 403, 407));
  EXPECT_EQ(out["logits"].size(), 3U);
  EXPECT_EQ(out["logits"][2].size(), 512U);
  EXPECT_TRUE(out["greedy"].empty());
}

TEST(LogitsCommandTest, RefusesBadArguments) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const std::string model = fixtures + "/stories260k/hf";
  const std::pair<LogitsCommand, const char*> cases[] = {
      {{model, "", 0, 1}, "no token ids"},
      {{model, "1 x", 0, 1}, "token 2 of the list"},
      {{model, "1,2", 0, 1}, "token 1 of the list"},
      {{model, "99999999999", 0, 1}, "token 1 of the list"},
      {{model, "512", 0, 1}, "outside the vocabulary"},
      {{model, "-1", 0, 1}, "outside the vocabulary"},
      {{model, "1", 512, 1}, "context of 512"},
      {{model, "1", -1, 1}, "context of 512"},
      {{model + "/none", "1", 0, 1}, "cannot open model"},
  };
  for (const auto& [command, message] : cases) {
    const auto text = RunLogits(command);
    ASSERT_FALSE(text) << message;
    EXPECT_THAT(text.error().message(), HasSubstr(message));
  }
}

}  // namespace
}  // namespace skerry::engine
