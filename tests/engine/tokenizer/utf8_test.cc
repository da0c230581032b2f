#include "engine/tokenizer/utf8.h"

#include <gtest/gtest.h>

namespace skerry::engine {
namespace {

TEST(Utf8, TellsCompleteIncompleteAndInvalid) {
  struct Case {
    std::string_view bytes;
    Utf8Kind kind;
    size_t length;
  };
  const Case cases[] = {
      {"a", Utf8Kind::kComplete, 1},
      {"\xC3\xA4x", Utf8Kind::kComplete, 2},
      {"\xE2\x82\xAC", Utf8Kind::kComplete, 3},
      {"\xF0\x9F\xA6\x99", Utf8Kind::kComplete, 4},
      {"\xC3", Utf8Kind::kIncomplete, 1},
      {"\xF0\x9F\xA6", Utf8Kind::kIncomplete, 3},
      {"\x80", Utf8Kind::kInvalid, 1},
      {"\xC0\x80", Utf8Kind::kInvalid, 1},          // overlong
      {"\xE0\x80\x80", Utf8Kind::kInvalid, 1},      // overlong
      {"\xED\xA0\x80", Utf8Kind::kInvalid, 1},      // surrogate
      {"\xF4\x90\x80\x80", Utf8Kind::kInvalid, 1},  // above U+10FFFF
      {"\xF0\x9F\xA6z", Utf8Kind::kInvalid, 3},
      {"\xFF", Utf8Kind::kInvalid, 1},
  };
  for (const Case& c : cases) {
    const Utf8Step step = NextUtf8(c.bytes);
    EXPECT_EQ(step.kind, c.kind) << ::testing::PrintToString(c.bytes);
    EXPECT_EQ(step.length, c.length) << ::testing::PrintToString(c.bytes);
  }
}

TEST(Utf8, ValidOrNot) {
  for (const char* text : {"", "a", "gr\xC3\xBC\xC3\x9F", "0123456789abcdef\xF0\x9F\xA6\x99"}) {
    EXPECT_TRUE(IsValidUtf8(text)) << text;
  }
  for (const char* text : {"\x80", "01234567\xC3", "0123456789abcde\xFFxyz", "\xED\xA0\x80"}) {
    EXPECT_FALSE(IsValidUtf8(text));
  }
}

TEST(Utf8, ReplacesMaximalSubparts) {
  // The example of the Unicode Standard, table 3-8.
  EXPECT_EQ(ToValidUtf8("a\xF1\x80\x80\xE1\x80\xC2"
                        "b\x80"
                        "c\x80\xBF"
                        "d"),
            "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
            "b\xEF\xBF\xBD"
            "c\xEF\xBF\xBD\xEF\xBF\xBD"
            "d");
  EXPECT_EQ(ToValidUtf8("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
}

}  // namespace
}  // namespace skerry::engine
