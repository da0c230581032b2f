#include "bundler/format/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace skerry::format {
namespace {

using ::testing::HasSubstr;

TEST(NamesTest, OrdinaryModelFilesTravel) {
  for (const char* name : {"config.json", "model-00001-of-00002.safetensors", "a/b/c.bin",
                           "Mistral-7B.Q4_K_M.gguf", ".hidden", "...", "-x", "1/2/3/4/5/6/7/8"}) {
    EXPECT_TRUE(CheckFileName(name)) << name;
  }
  EXPECT_TRUE(CheckFileName(std::string(255, 'a')));
}

TEST(NamesTest, HostileNamesAreRefused) {
  const std::vector<std::string> names = {"",
                                          "/etc/passwd",
                                          "..",
                                          ".",
                                          "../x",
                                          "a/../b",
                                          "a/./b",
                                          "a//b",
                                          "a/",
                                          "a b",
                                          "a\\b",
                                          "a:b",
                                          "a\nb",
                                          "\xc3\xa9",
                                          std::string("a\0b", 3),
                                          "a*",
                                          std::string(256, 'a'),
                                          "1/2/3/4/5/6/7/8/9"};
  for (const std::string& name : names) {
    const Result<void> checked = CheckFileName(name);
    ASSERT_FALSE(checked) << name;
    EXPECT_EQ(checked.error().code(), ErrorCode::kUntrusted);
  }
}

TEST(NamesTest, MessagesShowNoControlCharacters) {
  const Result<void> checked = CheckFileName("a\x1b[31mb");
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message(), HasSubstr("'a?[31mb'"));
}

std::string Check(std::vector<std::string_view> names) {
  const Result<void> checked = CheckFileNames(names);
  return checked ? "" : checked.error().message();
}

TEST(NamesTest, ListsMustBeTheSameOnEveryFileSystem) {
  EXPECT_EQ(Check({"a", "b/c", "b/d"}), "");
  EXPECT_THAT(Check({"b", "a"}), HasSubstr("sorted"));
  EXPECT_THAT(Check({"a", "a"}), HasSubstr("sorted and distinct"));
  EXPECT_THAT(Check({"A", "a"}), HasSubstr("case"));
  EXPECT_THAT(Check({"Dir/x", "dir/y"}), HasSubstr("directory differs"));
  EXPECT_THAT(Check({"a", "a/b"}), HasSubstr("both a file and a directory"));
  EXPECT_THAT(Check({"A/b", "a"}), HasSubstr("both a file and a directory"));
  EXPECT_THAT(Check({"a", "b/../c"}), HasSubstr("refused"));
}

TEST(NamesTest, IdsAndVersions) {
  EXPECT_TRUE(CheckModelId("mistralai/Mistral-7B-Instruct-v0.3"));
  for (const char* id : {"", "a", "a/", "/b", "a/b/c", "a b/c", ".a/b", "a/-b", "a/b\n"}) {
    EXPECT_FALSE(CheckModelId(id)) << id;
  }
  EXPECT_FALSE(CheckModelId(std::string(97, 'a') + "/b"));
  EXPECT_TRUE(CheckVersion("1.0.0-rc.1+build5"));
  for (const char* version : {"", "-1", "1 0", "1/0", "+1"}) {
    EXPECT_FALSE(CheckVersion(version)) << version;
  }
  EXPECT_FALSE(CheckVersion(std::string(65, '1')));
}

TEST(DayTest, OnlyDaysOfTheCalendar) {
  for (const char* day : {"2027-06-30", "2024-02-29", "0001-01-01", "9999-12-31"}) {
    EXPECT_TRUE(CheckDay(day)) << day;
  }
  for (const char* day :
       {"", "2027-06-31", "2027-13-01", "2027-00-10", "2027-06-00", "2023-02-29", "0000-01-01",
        "2027/06/30", "2027-6-30", "27-06-30", "2027-06-30 ", "2027-06-3x", "-027-06-30"}) {
    EXPECT_FALSE(CheckDay(day)) << day;
  }
}

TEST(DayTest, IsPastWhenItIsOver) {
  const FakeClock clock(1'700'000'000'000);  // 2023-11-14, 22:13 UTC
  EXPECT_TRUE(IsPastDay("2023-11-13", clock));
  EXPECT_FALSE(IsPastDay("2023-11-14", clock));
  EXPECT_FALSE(IsPastDay("2023-12-01", clock));
}

}  // namespace
}  // namespace skerry::format
