#include "appliance/cli/sse.h"

#include <gtest/gtest.h>

namespace skerry::cli {
namespace {

constexpr std::string_view kStream =
    ": ping\n\ndata: {\"a\":1}\n\nevent: error\ndata: x\ndata: y\n\nid: 3\ndata: [DONE]\n\n";

TEST(SseParser, EveryWayOfCuttingGivesTheSameEvents) {
  for (size_t step = 1; step <= kStream.size(); ++step) {
    SseParser parser;
    std::vector<SseEvent> all;
    for (size_t at = 0; at < kStream.size(); at += step) {
      const std::vector<SseEvent> some = parser.Feed(kStream.substr(at, step)).value();
      all.insert(all.end(), some.begin(), some.end());
    }
    ASSERT_EQ(all.size(), 3u) << step;
    EXPECT_EQ(all[0].type, "message");
    EXPECT_EQ(all[0].data, "{\"a\":1}");
    EXPECT_EQ(all[1].type, "error");
    EXPECT_EQ(all[1].data, "x\ny");
    EXPECT_EQ(all[2].data, "[DONE]");
  }
}

TEST(SseParser, AnUnfinishedEventIsNotGiven) {
  SseParser parser;
  EXPECT_TRUE(parser.Feed("data: half").value().empty());
  EXPECT_TRUE(parser.Feed("\n").value().empty());
  EXPECT_EQ(parser.Feed("\n").value().size(), 1u);
}

TEST(SseParser, EndlessEventsAreRefused) {
  SseParser parser;
  EXPECT_EQ(parser.Feed("data: " + std::string(2 << 20, 'x')).error().code(),
            ErrorCode::kExhausted);
  SseParser lines;
  Result<std::vector<SseEvent>> result = lines.Feed("");
  for (int i = 0; i < 20 && result; ++i) {
    result = lines.Feed("data: " + std::string(100 << 10, 'x') + "\n");
  }
  EXPECT_FALSE(result.has_value());
}

}  // namespace
}  // namespace skerry::cli
