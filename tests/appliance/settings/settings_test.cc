#include "appliance/settings/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/base/testing/memory_files.h"

namespace skerry::settings {
namespace {

using ::testing::HasSubstr;

TEST(SettingsTest, WithoutAFileTheStrictRulesHold) {
  skerry::testing::MemoryFiles files;
  EXPECT_EQ(ReadSettings(files).value().revoked_models, RevokedModels::kRefuse);
  ASSERT_TRUE(WriteAtomically(files, kSettingsPath, "[trust]\nrevoked_models = \"warn\"\n"));
  EXPECT_EQ(ReadSettings(files).value().revoked_models, RevokedModels::kWarn);
}

TEST(SettingsTest, WhatIsNotSaidKeepsItsDefault) {
  for (const char* text : {"", "# nothing\n", "[trust]\n", "[trust]\nrevoked_models=\"refuse\""}) {
    EXPECT_EQ(ParseSettings(text).value().revoked_models, RevokedModels::kRefuse) << text;
  }
}

TEST(SettingsTest, MistakesAreNamed) {
  const struct {
    const char* text;
    const char* named;
  } cases[] = {
      {"[trust]\nrevoked_model = \"warn\"\n", "'revoked_model'"},
      {"revoked_models = \"warn\"\n", "'revoked_models'"},
      {"[trusts]\n", "'trusts'"},
      {"trust = 1\n", "[trust]"},
      {"[trust]\nrevoked_models = true\n", "'revoked_models'"},
      {"[trust]\nrevoked_models = \"Warn\"\n", "\"refuse\" or \"warn\""},
      {"[trust]\nrevoked_models = \"warn\"\nrevoked_models = \"warn\"\n", "skerry.toml:3"},
      {"[trust\n", "skerry.toml:1"},
  };
  for (const auto& test : cases) {
    const Result<Settings> settings = ParseSettings(test.text);
    ASSERT_FALSE(settings) << test.text;
    EXPECT_EQ(settings.error().code(), ErrorCode::kInvalidArgument) << test.text;
    EXPECT_THAT(settings.error().message(), HasSubstr(test.named));
    EXPECT_THAT(settings.error().message(), HasSubstr("skerry.toml"));
  }
}

}  // namespace
}  // namespace skerry::settings
