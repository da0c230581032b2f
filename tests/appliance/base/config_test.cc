#include "appliance/base/config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace skerry {
namespace {

TEST(Config, TablesArraysAndScalars) {
  const Result<Json> parsed =
      ParseToml("a = 1\n[b]\nc = ['x', 'y']\nd = true\ne = 0.5\n", "t.toml");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(DumpJson(*parsed), R"({"a":1,"b":{"c":["x","y"],"d":true,"e":0.5}})");
}

TEST(Config, SyntaxErrorNamesFileAndLine) {
  const Result<Json> parsed = ParseToml("a = 1\nb = = 2\n", "t.toml");
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(parsed.error().message().starts_with("t.toml:2:")) << parsed.error().message();
}

TEST(Config, DuplicateKeysAndDatesAreRefused) {
  EXPECT_FALSE(ParseToml("a = 1\na = 2\n", "t.toml").has_value());
  const Result<Json> dated = ParseToml("\nwhen = 2025-01-01\n", "t.toml");
  ASSERT_FALSE(dated.has_value());
  EXPECT_NE(dated.error().message().find("line 2"), std::string::npos) << dated.error().message();
}

}  // namespace
}  // namespace skerry
