#include "engine/grammar/grammar.h"

#include <gtest/gtest.h>

#include "tests/engine/grammar/test_tokenizer.h"

namespace skerry::engine {
namespace {

TEST(CompileChoice, ExactlyThese) {
  const std::vector<std::string> choices = {"yes", "yesterday", "no", "\xC3\xA4"};
  const auto grammar = CompileChoice(choices);
  ASSERT_TRUE(grammar);
  for (const std::string& choice : choices) EXPECT_TRUE(Matches(*grammar, choice)) << choice;
  for (const char* other : {"", "ye", "yess", "noo", "Yes", "\xC3"}) {
    EXPECT_FALSE(Matches(*grammar, other)) << other;
  }
}

TEST(CompileChoice, AnEmptyOneMayEndAtOnce) {
  const std::vector<std::string> choices = {"", "a"};
  const auto grammar = CompileChoice(choices);
  ASSERT_TRUE(grammar);
  EXPECT_TRUE(Matches(*grammar, ""));
  EXPECT_TRUE(Matches(*grammar, "a"));
  EXPECT_FALSE(Matches(*grammar, "aa"));
}

TEST(CompileChoice, RefusesNothingAndTooMuch) {
  EXPECT_EQ(CompileChoice({}).error().code(), ErrorCode::kInvalidArgument);
  const std::vector<std::string> huge = {std::string(300'000, 'a')};
  EXPECT_EQ(CompileChoice(huge).error().code(), ErrorCode::kExhausted);
}

}  // namespace
}  // namespace skerry::engine
