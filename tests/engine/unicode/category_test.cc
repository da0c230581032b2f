#include "engine/unicode/category.h"

#include <gtest/gtest.h>

namespace skerry::engine::unicode {
namespace {

TEST(Category, OfSomeCharacters) {
  const std::pair<uint32_t, uint8_t> cases[] = {
      {'a', kCategoryLl},     {'Z', kCategoryLu},     {0x1C5, kCategoryLt},
      {0x2B0, kCategoryLm},   {0x4E00, kCategoryLo},  {0x301, kCategoryMn},
      {0x903, kCategoryMc},   {0x20DD, kCategoryMe},  {'7', kCategoryNd},
      {0x2160, kCategoryNl},  {0xBD, kCategoryNo},    {'_', kCategoryPc},
      {'-', kCategoryPd},     {'(', kCategoryPs},     {']', kCategoryPe},
      {0xAB, kCategoryPi},    {0xBB, kCategoryPf},    {'!', kCategoryPo},
      {'+', kCategorySm},     {'$', kCategorySc},     {'^', kCategorySk},
      {0xA9, kCategorySo},    {' ', kCategoryZs},     {0x2028, kCategoryZl},
      {0x2029, kCategoryZp},  {'\n', kCategoryCc},    {0xFEFF, kCategoryCf},
      {0xD800, kCategoryCs},  {0xE000, kCategoryCo},  {0x378, kCategoryCn},
      {0xAC01, kCategoryLo},  {0x1F600, kCategorySo}, {0x10FFFF, kCategoryCn},
      {0x110000, kCategoryCn}};
  for (const auto& [c, category] : cases) EXPECT_EQ(CategoryOf(c), category) << std::hex << c;
}

TEST(Category, SetsByName) {
  EXPECT_EQ(CategoryByName("L"), kLetters);
  EXPECT_EQ(CategoryByName("M"), kMarks);
  EXPECT_EQ(CategoryByName("N"), kNumbers);
  EXPECT_EQ(CategoryByName("P"), kPunctuation);
  EXPECT_EQ(CategoryByName("Lu"), Bit(kCategoryLu));
  EXPECT_EQ(CategoryByName("Co"), Bit(kCategoryCo));
  for (const char* name : {"", "X", "Lx", "Lul"}) EXPECT_EQ(CategoryByName(name), std::nullopt);
}

TEST(Category, WhiteSpaceWordsAndHan) {
  for (const uint32_t c : {9u, 10u, 13u, 32u, 0x85u, 0xA0u, 0x2003u, 0x3000u}) {
    EXPECT_TRUE(IsWhiteSpace(c)) << c;
  }
  for (const uint32_t c : {8u, 0x1Cu, 0x200Bu, 0xFEFFu, 0x180Eu})
    EXPECT_FALSE(IsWhiteSpace(c)) << c;
  for (const uint32_t c : {0x61, 0x5F, 0x35, 0xE4, 0x301, 0x4E00})
    EXPECT_TRUE(IsWordChar(c)) << std::hex << c;
  for (const uint32_t c : {0x20, 0x2D, 0xBD, 0x1F600}) EXPECT_FALSE(IsWordChar(c)) << std::hex << c;
  EXPECT_TRUE(IsHan(0x4E00));
  EXPECT_TRUE(IsHan(0x3007));
  EXPECT_FALSE(IsHan(0x3042));
  EXPECT_FALSE(IsHan('a'));
}

}  // namespace
}  // namespace skerry::engine::unicode
