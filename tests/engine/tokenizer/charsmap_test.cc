#include "engine/tokenizer/charsmap.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/engine/tokenizer/charsmap_builder.h"
#include "tests/engine/tokenizer/sizes.h"

namespace skerry::engine {
namespace {

TEST(CharsMap, FindsTheShortestAndTheLongest) {
  const auto map = CharsMap::Parse(testing::BuildCharsMap(
      {{"a", "1"}, {"ab", "2"}, {"abcd", ""}, {"\xEF\xAC\x81", "fi"}, {"zz", "z"}}));
  ASSERT_TRUE(map) << map.error().message();
  ASSERT_TRUE(map->Longest("abcde"));
  EXPECT_EQ(map->Longest("abcde")->length, 4u);
  EXPECT_EQ(map->Longest("abcde")->replacement, "");
  EXPECT_EQ(map->Longest("abc")->length, 2u);
  EXPECT_EQ(map->Longest("abc")->replacement, "2");
  EXPECT_EQ(map->Shortest("abcde")->length, 1u);
  EXPECT_EQ(map->Shortest("abcde")->replacement, "1");
  EXPECT_EQ(map->Longest("\xEF\xAC\x81x")->replacement, "fi");
  EXPECT_FALSE(map->Longest("b"));
  EXPECT_FALSE(map->Longest("z"));
  EXPECT_FALSE(map->Longest(""));
  EXPECT_FALSE(map->Longest(std::string_view("\0", 1)));
}

TEST(CharsMap, RefusesWhatContradictsItself) {
  const std::string good = testing::BuildCharsMap({{"a", "b"}});
  EXPECT_FALSE(CharsMap::Parse(""));
  EXPECT_FALSE(CharsMap::Parse("abc"));
  EXPECT_FALSE(CharsMap::Parse(std::string(4, '\0')));
  EXPECT_FALSE(CharsMap::Parse(good.substr(0, 100)));
  EXPECT_FALSE(CharsMap::Parse(good.substr(0, good.size() - 1)));  // the last end
  EXPECT_FALSE(CharsMap::Parse(good + "\xFF" + std::string(1, '\0')));
}

TEST(CharsMap, DamageLeadsNowhereOutside) {
  const std::string good = testing::BuildCharsMap({{"a", "1"}, {"ab", "2"}, {"b", "3"}});
  std::mt19937 random(41);
  for (int round = 0; round < testing::Rounds(2000); ++round) {
    std::string bad = good;
    for (int i = 0; i < 6; ++i) bad[random() % bad.size()] = static_cast<char>(random());
    const auto map = CharsMap::Parse(bad);
    if (!map) continue;
    for (const char* text : {"abab", "ba", "b"}) {
      const auto match = map->Longest(text);
      EXPECT_TRUE(!match || match->length <= 4u);
    }
  }
}

}  // namespace
}  // namespace skerry::engine
