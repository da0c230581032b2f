#include "engine/grammar/constraint_cache.h"

#include <gtest/gtest.h>

#include "engine/grammar/regex_grammar.h"
#include "tests/engine/grammar/test_tokenizer.h"

namespace skerry::engine {
namespace {

TEST(ConstraintCache, CompilesOnceAndForgetsTheOldest) {
  ConstraintCache cache(MakeByteVocabulary(), /*max_entries=*/2);
  int compiled = 0;
  const auto get = [&](const std::string& pattern) {
    return cache.Get(pattern, [&] {
      ++compiled;
      return CompileRegex(pattern);
    });
  };
  const auto a = get("a");
  ASSERT_TRUE(a);
  EXPECT_EQ(*get("a"), *a);
  EXPECT_EQ(compiled, 1);
  ASSERT_TRUE(get("b"));
  ASSERT_TRUE(get("a"));  // now the latest
  ASSERT_TRUE(get("c"));  // b goes
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(compiled, 3);
  ASSERT_TRUE(get("a"));
  EXPECT_EQ(compiled, 3);
  ASSERT_TRUE(get("b"));
  EXPECT_EQ(compiled, 4);
  Matcher matcher(*a);  // who holds one keeps it
  EXPECT_TRUE(matcher.AcceptBytes("a"));
}

TEST(ConstraintCache, DoesNotRememberErrors) {
  ConstraintCache cache(MakeByteVocabulary());
  const auto bad = cache.Get("k", [] { return CompileRegex("("); });
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_TRUE(cache.Get("k", [] { return CompileRegex("a"); }));
}

}  // namespace
}  // namespace skerry::engine
