#include "engine/unicode/code_points.h"

#include <gtest/gtest.h>

namespace skerry::engine::unicode {
namespace {

TEST(CodePoints, EveryOneSurvivesUtf8) {
  std::string text;
  for (uint32_t c = 0; c < kCodePoints; ++c) {
    if (c < 0xD800 || c > 0xDFFF) AppendCodePoint(c, text);
  }
  size_t at = 0;
  for (uint32_t c = 0; c < kCodePoints; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    const size_t start = at;
    ASSERT_EQ(NextCodePoint(text, &at), c);
    ASSERT_EQ(CharBytes(text[start]), at - start);
    ASSERT_EQ(PreviousStart(text, at), start);
  }
  EXPECT_EQ(at, text.size());
}

}  // namespace
}  // namespace skerry::engine::unicode
