#include "engine/tokenizer/unigram_model.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "tests/engine/tokenizer/sizes.h"

namespace skerry::engine {
namespace {

std::vector<TokenId> Encode(const UnigramModel& model, std::string_view word, WordCache& cache) {
  std::vector<TokenId> ids;
  model.Encode(word, cache, ids);
  std::vector<TokenId> again;
  model.Encode(word, cache, again);
  EXPECT_EQ(ids, again);
  return ids;
}

std::vector<TokenId> Encode(const UnigramModel& model, std::string_view word) {
  WordCache cache;
  return Encode(model, word, cache);
}

// The best score of all ways to spell `text`.
double BestScore(const std::vector<UnigramPiece>& pieces, std::string_view text) {
  if (text.empty()) return 0;
  double best = -1e9;
  for (const UnigramPiece& piece : pieces) {
    if (!piece.used || !text.starts_with(piece.text)) continue;
    best = std::max(best, piece.score + BestScore(pieces, text.substr(piece.text.size())));
  }
  return best;
}

TEST(UnigramModel, FindsTheBestSpelling) {
  std::mt19937 random(43);
  for (int round = 0; round < testing::Rounds(200); ++round) {
    std::vector<UnigramPiece> pieces = {{"<unk>", 0, false, false}};
    for (const char* text : {"a", "b", "ab", "ba", "aab", "abb", "bbb"}) {
      if (pieces.size() > 2 && random() % 4 == 0) continue;
      pieces.push_back({text, -static_cast<double>(random() % 1000) / 100, true, false});
    }
    const auto model = UnigramModel::Create(pieces, 0, false);
    ASSERT_TRUE(model);
    WordCache cache;
    for (int texts = 0; texts < 10; ++texts) {
      std::string text;
      for (size_t n = random() % 9; n > 0; --n) text += "ab"[random() % 2];
      double score = 0;
      std::string spelled;
      for (const TokenId id : Encode(**model, text, cache)) {
        spelled += pieces[static_cast<size_t>(id)].text;
        score += pieces[static_cast<size_t>(id)].score;
      }
      EXPECT_EQ(spelled, text);
      EXPECT_NEAR(score, BestScore(pieces, text), 1e-9) << text;
    }
  }
}

TEST(UnigramModel, UnknownAndBytes) {
  std::vector<UnigramPiece> pieces = {{"<unk>", 0, false, false}, {"a", -1, true, false}};
  const auto model = UnigramModel::Create(pieces, 0, false);
  ASSERT_TRUE(model);
  EXPECT_EQ(Encode(**model, "xya\xC3\xA4"), (std::vector<TokenId>{0, 1, 0}));
  EXPECT_EQ(Encode(**model, ""), std::vector<TokenId>{});
  EXPECT_FALSE(UnigramModel::Create(pieces, std::nullopt, false));
  EXPECT_FALSE(UnigramModel::Create(pieces, 0, true));  // no byte pieces
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    snprintf(name, sizeof(name), "<0x%02X>", byte);
    pieces.push_back({name, 0, false, false});
  }
  const auto bytes = UnigramModel::Create(pieces, 0, true);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(Encode(**bytes, "a\xC3\xA4"), (std::vector<TokenId>{1, 2 + 0xC3, 2 + 0xA4}));
  EXPECT_EQ((*bytes)->MaxBytesPerToken(), 1u);
  EXPECT_EQ((*model)->MaxBytesPerToken(), 0u);
}

TEST(UnigramModel, UserDefinedPiecesWin) {
  const std::vector<UnigramPiece> pieces = {{"<unk>", 0, false, false}, {"a", -5, true, false},
                                            {"aa", -6, true, false},    {"aab", -99, true, true},
                                            {"b", -6, true, false},     {"z", -1, true, false}};
  const auto model = UnigramModel::Create(pieces, 0, false);
  ASSERT_TRUE(model);
  EXPECT_EQ(Encode(**model, "aaab"), (std::vector<TokenId>{1, 3}));
}

TEST(UnigramModel, AMegabyteTakesSeconds) {
  std::vector<UnigramPiece> pieces = {{"<unk>", 0, false, false}};
  std::string run;
  for (int i = 0; i < 32; ++i) {
    run += "a";
    pieces.push_back({run, -1.0 - i, true, false});
  }
  const auto model = UnigramModel::Create(pieces, 0, false);
  ASSERT_TRUE(model);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Encode(**model, std::string(testing::kLongText, 'a')).size(), testing::kLongText / 32);
  EXPECT_EQ(Encode(**model, std::string(testing::kLongText, 'z')).size(), 1u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

}  // namespace
}  // namespace skerry::engine
