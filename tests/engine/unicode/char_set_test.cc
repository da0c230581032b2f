#include "engine/unicode/char_set.h"

#include <gtest/gtest.h>

#include "engine/unicode/code_points.h"

namespace skerry::engine::unicode {
namespace {

using Range = CharSet::Range;

TEST(CharSet, JoinsRangesThatTouch) {
  const CharSet set({{'d', 'f'}, {'a', 'b'}, {'c', 'c'}, {'x', 'z'}, {'y', 'y'}});
  EXPECT_EQ(set.ranges(), (std::vector<Range>{{'a', 'f'}, {'x', 'z'}}));
  EXPECT_TRUE(set.Contains('a'));
  EXPECT_TRUE(set.Contains('z'));
  EXPECT_FALSE(set.Contains('g'));
}

TEST(CharSet, SetsAsInMathematics) {
  const CharSet set({{'a', 'f'}, {'x', 'z'}});
  const CharSet outside = set.Complement();
  EXPECT_EQ(outside.ranges(),
            (std::vector<Range>{{0, 'a' - 1}, {'g', 'w'}, {'z' + 1, kCodePoints - 1}}));
  EXPECT_EQ(outside.Complement(), set);
  EXPECT_EQ(set.Union(outside), CharSet::All());
  EXPECT_TRUE(set.Intersection(outside).empty());
  EXPECT_EQ(set.Intersection(CharSet('e', 'y')).ranges(),
            (std::vector<Range>{{'e', 'f'}, {'x', 'y'}}));
}

TEST(CharSet, BothCases) {
  EXPECT_EQ(CharSet('b', 'b').WithBothCases(), CharSet({{'b', 'b'}, {'B', 'B'}}));
  EXPECT_TRUE(CharSet('k', 'k').WithBothCases().Contains(0x212A));
  EXPECT_EQ(CharSet('1', '1').WithBothCases(), CharSet('1', '1'));
}

TEST(CharSet, Classes) {
  EXPECT_TRUE(CharSet::WordChars().Contains(0xE4));
  EXPECT_FALSE(CharSet::WordChars().Contains('-'));
  EXPECT_TRUE(CharSet::WhiteSpace().Contains(0x3000));
  EXPECT_TRUE(CharSet::Han().Contains(0x4E2D));
  EXPECT_TRUE(CharSet::OfCategories(Bit(kCategoryLu)).Contains('A'));
  EXPECT_FALSE(CharSet::OfCategories(Bit(kCategoryLu)).Contains('a'));
}

}  // namespace
}  // namespace skerry::engine::unicode
