#include "appliance/base/log.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

TEST(Log, OneLineReplacesControlCharacters) {
  EXPECT_EQ(OneLine("a\nb\r\x1b[31m\x7f é"), "a?b??[31m? é");
}

TEST(Log, LinesCarryProgramAndLevelAndCannotBeForged) {
  ::testing::internal::CaptureStderr();
  InitLogging("skerry-test");
  LogInfo("first\nsecond {}");
  LogDebug("hidden");
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("first?second {}"), std::string::npos) << text;
  EXPECT_EQ(text.find("hidden"), std::string::npos) << text;
}

}  // namespace
}  // namespace skerry
