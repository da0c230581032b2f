#include "engine/tokenizer/wordpiece_model.h"

#include <gtest/gtest.h>

namespace skerry::engine {
namespace {

std::vector<TokenId> Encode(const WordPieceModel& model, std::string_view word) {
  WordCache cache;
  std::vector<TokenId> ids = {99};  // stays as it is
  model.Encode(word, cache, ids);
  EXPECT_EQ(ids[0], 99);
  ids.erase(ids.begin());
  return ids;
}

TEST(WordPieceModel, TheLongestFromTheLeft) {
  WordPieceVocabulary vocabulary;
  vocabulary.beginnings = {{"un", 1}, {"unaff", 2}, {"a", 3}, {"\xC3\xA4", 8}};
  vocabulary.continuations = {{"able", 4}, {"aff", 5}, {"a", 6}, {"b", 7}};
  vocabulary.unknown = 0;
  const WordPieceModel model(vocabulary);
  EXPECT_EQ(Encode(model, "unable"), (std::vector<TokenId>{1, 4}));
  EXPECT_EQ(Encode(model, "unaffable"), (std::vector<TokenId>{2, 4}));
  EXPECT_EQ(Encode(model, "aab"), (std::vector<TokenId>{3, 6, 7}));
  EXPECT_EQ(Encode(model, "\xC3\xA4"), std::vector<TokenId>{8});
  EXPECT_EQ(Encode(model, "unx"), std::vector<TokenId>{0});  // all or nothing
  EXPECT_EQ(Encode(model, "b"), std::vector<TokenId>{0});
  EXPECT_EQ(Encode(model, ""), std::vector<TokenId>{});
  EXPECT_EQ(model.MaxBytesPerToken(), 0u);
}

TEST(WordPieceModel, LongWordsAreUnknown) {
  WordPieceVocabulary vocabulary;
  vocabulary.beginnings = {{"\xC3\xA4", 1}};
  vocabulary.continuations = {{"\xC3\xA4", 2}};
  vocabulary.max_word_chars = 3;
  const WordPieceModel model(vocabulary);
  EXPECT_EQ(Encode(model, "\xC3\xA4\xC3\xA4\xC3\xA4"), (std::vector<TokenId>{1, 2, 2}));
  EXPECT_EQ(Encode(model, "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4"), std::vector<TokenId>{0});
}

}  // namespace
}  // namespace skerry::engine
