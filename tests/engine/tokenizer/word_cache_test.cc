#include "engine/tokenizer/word_cache.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace skerry::engine {
namespace {

TEST(WordCache, HoldsWhatWasPutUntilItIsDisplaced) {
  WordCache cache;
  EXPECT_FALSE(WordCache::Fits(""));
  EXPECT_TRUE(WordCache::Fits(std::string(WordCache::kMaxWordBytes, 'x')));
  EXPECT_FALSE(WordCache::Fits(std::string(WordCache::kMaxWordBytes + 1, 'x')));
  const std::vector<TokenId> ids = {1, 2, 3};
  WordCache::Entry& entry = cache.PlaceOf("word");
  EXPECT_FALSE(entry.Holds("word"));
  WordCache::Put(entry, "word", ids);
  ASSERT_TRUE(cache.PlaceOf("word").Holds("word"));
  EXPECT_TRUE(std::ranges::equal(cache.PlaceOf("word").Ids(), ids));
  EXPECT_FALSE(entry.Holds("work"));
  const std::vector<TokenId> many(WordCache::kMaxIds + 1);
  WordCache::Put(cache.PlaceOf("other"), "other", many);
  EXPECT_FALSE(cache.PlaceOf("other").Holds("other"));
}

TEST(WordCache, NoWordIsTakenForAnother) {
  WordCache cache;
  for (TokenId i = 0; i < 100'000; ++i) {
    const std::string word = "w" + std::to_string(i);
    WordCache::Put(cache.PlaceOf(word), word, {&i, 1});
  }
  int held = 0;
  for (TokenId i = 0; i < 100'000; ++i) {
    const std::string word = "w" + std::to_string(i);
    if (!cache.PlaceOf(word).Holds(word)) continue;
    ++held;
    EXPECT_EQ(cache.PlaceOf(word).Ids()[0], i);
  }
  EXPECT_GT(held, 10'000);
}

TEST(WordCachePool, EveryLeaseHasACacheOfItsOwn) {
  WordCachePool pool;
  WordCache* first = nullptr;
  {
    WordCachePool::Lease one(pool);
    WordCachePool::Lease two(pool);
    EXPECT_NE(&*one, &*two);
    first = &*one;
  }
  WordCachePool::Lease again(pool);
  EXPECT_EQ(&*again, first);  // the last one given back
}

}  // namespace
}  // namespace skerry::engine
