#include "engine/cache/block_name.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace skerry::engine {
namespace {

TEST(BlockName, RootsDifferByEveryField) {
  std::set<BlockName> roots;
  for (const BlockName& root :
       {RootName("", "", ""), RootName("a", "", ""), RootName("", "a", ""), RootName("", "", "a"),
        RootName("ab", "c", ""), RootName("a", "bc", ""), RootName("1:a", "", ""), RootName(0),
        RootName(1)}) {
    EXPECT_TRUE(roots.insert(root).second);
  }
  EXPECT_EQ(RootName("a", "b", "c"), RootName("a", "b", "c"));
  EXPECT_EQ(RootName(7), RootName(7));
}

TEST(BlockName, NamesDependOnTokensAndOnAllBeforeThem) {
  const std::vector<TokenId> one = {1, 2, 3};
  const std::vector<TokenId> other = {1, 2, 4};
  const BlockName a = NextName(RootName(1), one);
  EXPECT_EQ(a, NextName(RootName(1), one));
  EXPECT_NE(a, NextName(RootName(2), one));
  EXPECT_NE(a, NextName(RootName(1), other));
  EXPECT_NE(NextName(a, one), NextName(NextName(RootName(1), other), one));
  // SHA-256 of 32 zero bytes and the integers 1, 2, 3 in 32 bits, by Python's hashlib.
  EXPECT_EQ(NextName(BlockName(), one).Hex(),
            "3db346a400ab6b8db792fcf156443a8885b27db208362dcf77084f8c7648e645");
}

}  // namespace
}  // namespace skerry::engine
