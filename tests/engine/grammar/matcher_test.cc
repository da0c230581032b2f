#include "engine/grammar/matcher.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "engine/grammar/json_schema.h"
#include "engine/grammar/regex_grammar.h"
#include "tests/engine/grammar/test_tokenizer.h"

namespace skerry::engine {
namespace {

std::shared_ptr<Constraint> MakeConstraint(const char* pattern,
                                           std::shared_ptr<const TokenVocabulary> vocabulary,
                                           size_t max_bytes = Constraint::kMaxBytes) {
  return std::make_shared<Constraint>(CompileRegex(pattern).value(), std::move(vocabulary),
                                      max_bytes);
}

std::vector<std::string> Allowed(Matcher& matcher, const TokenVocabulary& vocabulary) {
  std::vector<std::string> texts;
  const std::vector<uint32_t> mask = MaskOf(matcher, vocabulary);
  for (TokenId id = 0; id < vocabulary.n_tokens(); ++id) {
    if (IsAllowed(mask, id)) texts.push_back(id == 0 ? "END" : std::string(vocabulary.Bytes(id)));
  }
  return texts;
}

using Texts = std::vector<std::string>;

TEST(Matcher, FollowsAText) {
  const auto vocabulary = MakeVocabulary({"a", "b", "ab", "ba", "c"});
  Matcher matcher(MakeConstraint("(ab)+", vocabulary));
  EXPECT_EQ(Allowed(matcher, *vocabulary), (Texts{"a", "ab"}));
  EXPECT_FALSE(matcher.Accept(2));  // b
  EXPECT_FALSE(matcher.Accept(0));  // the end
  EXPECT_FALSE(matcher.Accept(-1));
  EXPECT_FALSE(matcher.Accept(77));
  ASSERT_TRUE(matcher.Accept(1));  // a
  EXPECT_EQ(Allowed(matcher, *vocabulary), (Texts{"b", "ba"}));
  ASSERT_TRUE(matcher.Accept(2));
  EXPECT_EQ(Allowed(matcher, *vocabulary), (Texts{"END", "a", "ab"}));
  EXPECT_TRUE(matcher.CanEnd());
  EXPECT_FALSE(matcher.Ended());
  ASSERT_TRUE(matcher.Accept(0));
  EXPECT_TRUE(matcher.Ended());
  EXPECT_EQ(Allowed(matcher, *vocabulary), Texts{"END"});
  EXPECT_FALSE(matcher.Accept(1));
}

TEST(Matcher, TakesBack) {
  const auto vocabulary = MakeVocabulary({"a", "b"});
  Matcher matcher(MakeConstraint("a*b", vocabulary));
  for (const TokenId token : {1, 1, 2, 0}) ASSERT_TRUE(matcher.Accept(token));
  EXPECT_FALSE(matcher.Rollback(5));
  ASSERT_TRUE(matcher.Rollback(2));
  EXPECT_EQ(Allowed(matcher, *vocabulary), (Texts{"a", "b"}));
  Matcher copy = matcher;
  ASSERT_TRUE(copy.Accept(2));
  EXPECT_TRUE(copy.CanEnd());
  EXPECT_FALSE(matcher.CanEnd());
  for (size_t i = 0; i < Matcher::kMaxRollback + 10; ++i) ASSERT_TRUE(matcher.Accept(1));
  EXPECT_FALSE(matcher.Rollback(Matcher::kMaxRollback + 1));
  EXPECT_TRUE(matcher.Rollback(Matcher::kMaxRollback));
}

TEST(Matcher, HalvesOfCharacters) {
  const auto vocabulary =
      MakeVocabulary({"\xC3", "\xA4", "\xC3\xA4", "x\xC3", "\xA4x", "\xE2\x82"});
  Matcher matcher(MakeConstraint("x?[\xC3\xA4\xE2\x82\xAC]+x", vocabulary));
  EXPECT_EQ(Allowed(matcher, *vocabulary), (Texts{"\xC3", "\xC3\xA4", "x\xC3", "\xE2\x82"}));
  ASSERT_TRUE(matcher.Accept(1));
  EXPECT_EQ(Allowed(matcher, *vocabulary), (Texts{"\xA4", "\xA4x"}));
}

TEST(Matcher, ForcedText) {
  const auto vocabulary = MakeByteVocabulary();
  Matcher matcher(MakeConstraint("abc(d|e)fgh(ij)?", vocabulary));
  EXPECT_EQ(matcher.Forced(), "abc");
  EXPECT_EQ(matcher.Forced(2), "ab");
  ASSERT_TRUE(matcher.AcceptBytes("abcd"));
  EXPECT_EQ(matcher.Forced(), "fgh");  // it may end there
  ASSERT_TRUE(matcher.AcceptBytes("fghi"));
  EXPECT_EQ(matcher.Forced(), "j");
  EXPECT_FALSE(matcher.AcceptBytes("x"));
}

TEST(Matcher, FirstSpaceDoesNotCount) {
  const auto vocabulary =
      MakeVocabulary({" ", " a", "a", " b", "b", "  a"}, /*leading_space=*/true);
  const auto constraint = MakeConstraint("a( b)?", vocabulary);
  Matcher matcher(constraint, /*strip_leading_space=*/true);
  EXPECT_EQ(Allowed(matcher, *vocabulary), (Texts{" ", " a", "a"}));
  ASSERT_TRUE(matcher.Accept(2));
  EXPECT_EQ(Allowed(matcher, *vocabulary), (Texts{"END", " ", " b"}));
  ASSERT_TRUE(matcher.Rollback(1));
  ASSERT_TRUE(matcher.Accept(1));  // a space alone
  EXPECT_EQ(Allowed(matcher, *vocabulary), Texts{"a"});
  Matcher strict(constraint);
  EXPECT_EQ(Allowed(strict, *vocabulary), Texts{"a"});
}

TEST(Matcher, SaysWhenNothingFits) {
  const auto vocabulary = MakeVocabulary({"a"});
  Matcher matcher(MakeConstraint("ab", vocabulary));
  std::vector<uint32_t> words(1);
  EXPECT_TRUE(matcher.FillMask(words));
  ASSERT_TRUE(matcher.Accept(1));
  EXPECT_FALSE(matcher.FillMask(words));
  EXPECT_EQ(words[0], 0u);
}

TEST(Matcher, ClearsBitsBeyondTheVocabulary) {
  const auto vocabulary = MakeVocabulary({"a"});
  Matcher matcher(MakeConstraint("a", vocabulary));
  std::vector<uint32_t> words(3, ~uint32_t{0});
  EXPECT_TRUE(matcher.FillMask(words));
  EXPECT_EQ(words, (std::vector<uint32_t>{2, 0, 0}));
}

// A slice's tokens come with their number of characters, near the end of a bounded text too.
TEST(Matcher, SlicesEndWhereTheTextMust) {
  std::vector<std::string> tokens = {"a",   "bc", "\xC3\xA4\xC3\xA4\xC3\xA4", "dddd",
                                     "e\"", "\"", std::string(40, 'f')};
  const auto vocabulary = MakeVocabulary(tokens);
  const auto grammar = CompileJsonSchema(R"({"type":"string","maxLength":41})");
  ASSERT_TRUE(grammar);
  const auto constraint = std::make_shared<Constraint>(*grammar, vocabulary);
  for (size_t used = 0; used <= 41; ++used) {
    Matcher matcher(constraint);
    ASSERT_TRUE(matcher.AcceptBytes("\"" + std::string(used, 'x')));
    const std::vector<uint32_t> mask = MaskOf(matcher, *vocabulary);
    const size_t left = 41 - used;
    const size_t lengths[] = {1, 2, 3, 4, 1, 0, 40};
    for (size_t i = 0; i < tokens.size(); ++i) {
      EXPECT_EQ(IsAllowed(mask, static_cast<TokenId>(i + 1)), lengths[i] <= left)
          << used << " " << i;
    }
  }
}

// An automaton that is too large is left behind; texts under way go on as if nothing had happened.
TEST(Matcher, ForgetsAndGoesOn) {
  const auto vocabulary = MakeByteVocabulary();
  const auto grammar = CompileAnyJsonObject();
  ASSERT_TRUE(grammar);
  const auto small = std::make_shared<Constraint>(*grammar, vocabulary, /*max_bytes=*/20'000);
  const auto large = std::make_shared<Constraint>(*grammar, vocabulary);
  Matcher one(small);
  Matcher other(large);
  std::string text = R"({"a":[1,{"b":[[true,null,{"c":"d\u00e4"}]]},-1.5e-3],"e":{"f":{}}})";
  for (const char c : text) {
    EXPECT_EQ(MaskOf(one, *vocabulary), MaskOf(other, *vocabulary));
    const TokenId token = static_cast<uint8_t>(c) + 1;
    ASSERT_TRUE(one.Accept(token));
    ASSERT_TRUE(other.Accept(token));
    ASSERT_TRUE(one.Rollback(1));
    ASSERT_TRUE(one.Accept(token));
  }
  EXPECT_TRUE(one.CanEnd());
  EXPECT_LT(small->Bytes(), large->Bytes());
  ASSERT_TRUE(one.Rollback(text.size() - 2));
  EXPECT_TRUE(one.AcceptBytes("x\":0}"));
}

TEST(Matcher, SharesAConstraintBetweenThreads) {
  const auto vocabulary = MakeByteVocabulary();
  const auto constraint = std::make_shared<Constraint>(CompileAnyJsonObject().value(), vocabulary,
                                                       /*max_bytes=*/200'000);
  const auto walk = [&](uint32_t seed) {
    std::mt19937 random(seed);
    Matcher matcher(constraint);
    std::vector<uint32_t> words(vocabulary->mask_words());
    for (int step = 0; step < 300 && !matcher.Ended(); ++step) {
      ASSERT_TRUE(matcher.FillMask(words));
      TokenId token = 0;
      do token = static_cast<TokenId>(random() % 257);
      while (!IsAllowed(words, token));
      ASSERT_TRUE(matcher.Accept(token));
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t seed = 0; seed < 4; ++seed) threads.emplace_back(walk, seed);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace skerry::engine
