#include "engine/sampler/stop_strings.h"

#include <gtest/gtest.h>

#include <random>

namespace skerry::engine {
namespace {

TEST(StopStrings, FindsOneAcrossPieces) {
  StopStrings stops({"END", "\n\n"});
  EXPECT_EQ(stops.Push("one E").text, "one ");
  EXPECT_EQ(stops.Push("N").text, "");
  const StopStrings::Step step = stops.Push("D two");
  EXPECT_TRUE(step.stopped);
  EXPECT_EQ(step.text, "");
}

TEST(StopStrings, GivesBackWhatWasNoStop) {
  StopStrings stops({"END"});
  EXPECT_EQ(stops.Push("EN").text, "");
  EXPECT_EQ(stops.Push("EN").text, "EN");
  EXPECT_EQ(stops.Push("x").text, "ENx");
  EXPECT_EQ(stops.Push("E").text, "");
  EXPECT_EQ(stops.Finish(), "E");
  EXPECT_EQ(stops.Finish(), "");
}

TEST(StopStrings, NoStopsHoldNothing) {
  StopStrings stops({""});
  const StopStrings::Step step = stops.Push("abc");
  EXPECT_EQ(step.text, "abc");
  EXPECT_FALSE(step.stopped);
}

TEST(StopStrings, AnySplitGivesTheSameText) {
  std::mt19937 random(11);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) text += "ab"[random() % 2];
    std::vector<std::string> list(2);
    for (std::string& stop : list) {
      for (size_t n = random() % 4 + 1; n > 0; --n) stop += "ab"[random() % 2];
    }
    // Byte by byte the stop that ends first wins, then the one that begins first.
    StopStrings bytewise(list);
    std::string expected;
    bool expected_stop = false;
    for (const char c : text) {
      const StopStrings::Step step = bytewise.Push(std::string(1, c));
      expected += step.text;
      if (step.stopped) {
        expected_stop = true;
        break;
      }
    }
    if (!expected_stop) expected += bytewise.Finish();
    size_t first_end = std::string::npos;
    for (const std::string& stop : list) {
      const size_t at = text.find(stop);
      if (at != std::string::npos) first_end = std::min(first_end, at + stop.size());
    }
    EXPECT_EQ(expected_stop, first_end != std::string::npos);
    if (expected_stop) {
      EXPECT_LT(expected.size(), first_end);
      EXPECT_EQ(expected, text.substr(0, expected.size()));
    } else {
      EXPECT_EQ(expected, text);
    }
  }
}

}  // namespace
}  // namespace skerry::engine
