#include "appliance/cli/listing.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace skerry::cli {
namespace {

TEST(ListingTest, ColumnsAreAligned) {
  Table table({"ID", "LABEL", "X"});
  table.Add({"a", "long label", ""});
  table.Add({"bbb", "s\n", "end"});
  EXPECT_EQ(table.Text(),
            "ID   LABEL       X\n"
            "a    long label\n"
            "bbb  s?          end\n");
}

TEST(ListingTest, Durations) {
  EXPECT_EQ(ParseDurationMs("1s").value(), 1'000);
  EXPECT_EQ(ParseDurationMs("90m").value(), 5'400'000);
  EXPECT_EQ(ParseDurationMs("12h").value(), 43'200'000);
  EXPECT_EQ(ParseDurationMs("30d").value(), 2'592'000'000);
  EXPECT_EQ(ParseDurationMs("8w").value(), 4'838'400'000);
  for (const char* bad : {"", "d", "30", "0d", "-1d", "1.5h", "30 d", "30dd", "30y",
                          "99999999999999999999d", "4000d"}) {
    EXPECT_EQ(ParseDurationMs(bad).error().code(), ErrorCode::kInvalidArgument) << bad;
  }
}

TEST(ListingTest, Days) {
  EXPECT_EQ(FormatDay(0), "never");
  EXPECT_EQ(FormatDay(1'700'000'000'123), "2023-11-14 22:13");
}

TEST(ListingTest, FieldsOfAnyAnswer) {
  const Json json = {{"t", "x"}, {"n", 7}, {"f", true}, {"l", {"a", 1, "b"}}};
  EXPECT_EQ(TextOf(json, "t"), "x");
  EXPECT_EQ(TextOf(json, "n"), "");
  EXPECT_EQ(IntOf(json, "n"), 7);
  EXPECT_EQ(IntOf(json, "t"), 0);
  EXPECT_TRUE(FlagOf(json, "f"));
  EXPECT_FALSE(FlagOf(json, "none"));
  EXPECT_EQ(StringsOf(json, "l"), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(StringsOf(json, "t").empty());
  EXPECT_TRUE(ListOf(Json(), "l").empty());
  EXPECT_EQ(Join({"a", "b"}), "a, b");
}

}  // namespace
}  // namespace skerry::cli
