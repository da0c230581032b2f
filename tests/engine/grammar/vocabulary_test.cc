#include "engine/grammar/vocabulary.h"

#include <gtest/gtest.h>

#include "tests/engine/grammar/test_tokenizer.h"

namespace skerry::engine {
namespace {

TEST(TokenVocabulary, BytesOfTokens) {
  const auto vocabulary = MakeVocabulary({"a", "ab", "<|call|>", "b", "ab"});
  EXPECT_EQ(vocabulary->n_tokens(), 6);
  EXPECT_EQ(vocabulary->mask_words(), 1u);
  EXPECT_EQ(vocabulary->Bytes(0), "");  // ends a text: no grammar sees it
  EXPECT_TRUE(vocabulary->IsStop(0));
  EXPECT_EQ(vocabulary->Bytes(2), "ab");
  EXPECT_EQ(vocabulary->Bytes(3), ControlText("<|call|>"));
  EXPECT_EQ(vocabulary->Bytes(-1), "");
  EXPECT_EQ(vocabulary->Bytes(6), "");
}

TEST(TokenVocabulary, TrieIsInOrderAndSkips) {
  const auto vocabulary = MakeVocabulary({"b", "abc", "abd", "a"});
  const auto& nodes = vocabulary->trie().nodes;
  ASSERT_EQ(nodes.size(), 5u);  // a, ab, abc, abd, b
  EXPECT_EQ(nodes[0].byte, static_cast<uint32_t>('a'));
  EXPECT_EQ(nodes[0].n_nodes, 4u);
  EXPECT_EQ(nodes[0].token, 4u);
  EXPECT_EQ(nodes[1].token, internal::TokenTrie::kNoToken);
  EXPECT_EQ(nodes[1].n_nodes, 3u);
  EXPECT_EQ(nodes[2].depth, 2u);
  EXPECT_EQ(nodes[3].token, 3u);
  EXPECT_EQ(nodes[4].n_nodes, 1u);
}

TEST(TokenVocabulary, TwinsFollowTheListedOne) {
  const auto vocabulary = MakeVocabulary({"x", "x", "y"});
  std::vector<uint32_t> mask = {1u << 1};
  vocabulary->AddTwins(mask);
  EXPECT_EQ(mask[0], 1u << 1 | 1u << 2);
}

TEST(TokenVocabulary, SlicesCountCharacters) {
  const auto vocabulary = MakeVocabulary({"a", "\xC3\xA4\xC3\xB6", "\xC3", "a\"", "abcd"});
  const auto& slice = vocabulary->slices()[0];  // what may stand in a JSON string
  EXPECT_EQ(slice.up_to[0][0], 0u);
  EXPECT_EQ(slice.up_to[1][0], 1u << 1);
  EXPECT_EQ(slice.up_to[2][0], 1u << 1 | 1u << 2);
  EXPECT_EQ(slice.up_to[4][0], 1u << 1 | 1u << 2 | 1u << 5);
  EXPECT_EQ(slice.others.nodes.size(), 3u);  // half a character; a, "
}

TEST(TokenVocabulary, RefusesAModelThatIsTooSmall) {
  const TestTokenizer tokenizer({"a", "b"});
  const auto vocabulary = TokenVocabulary::Create(tokenizer, {}, 1);
  ASSERT_FALSE(vocabulary);
  EXPECT_EQ(vocabulary.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(TokenVocabulary::Create(tokenizer, {}, 64));
}

TEST(TokenVocabulary, LeavesOutTokensThatAreTooLong) {
  const auto vocabulary = MakeVocabulary({std::string(255, 'a'), std::string(256, 'a')});
  EXPECT_EQ(vocabulary->Bytes(1).size(), 255u);
  EXPECT_EQ(vocabulary->Bytes(2), "");
}

}  // namespace
}  // namespace skerry::engine
