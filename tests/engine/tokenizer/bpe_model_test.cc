#include "engine/tokenizer/bpe_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "tests/engine/tokenizer/sizes.h"

namespace skerry::engine {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";

struct Vocabulary {
  std::vector<std::string> tokens;
  std::vector<BpeMerge> merges;
};

// Single characters and `n` random merges of what there is.
Vocabulary RandomVocabulary(std::mt19937& random, std::vector<std::string> letters, size_t n) {
  Vocabulary vocabulary{std::move(letters), {}};
  while (n-- > 0) {
    const auto left = static_cast<TokenId>(random() % vocabulary.tokens.size());
    const auto right = static_cast<TokenId>(random() % vocabulary.tokens.size());
    const std::string joined = vocabulary.tokens[static_cast<size_t>(left)] +
                               vocabulary.tokens[static_cast<size_t>(right)];
    const auto found = std::ranges::find(vocabulary.tokens, joined);
    const auto id = static_cast<TokenId>(found - vocabulary.tokens.begin());
    if (found == vocabulary.tokens.end()) vocabulary.tokens.push_back(joined);
    vocabulary.merges.push_back({left, right, id, static_cast<uint32_t>(vocabulary.merges.size())});
  }
  return vocabulary;
}

// The definition taken literally.
std::vector<TokenId> SlowEncode(const Vocabulary& vocabulary, std::vector<TokenId> ids) {
  while (true) {
    const BpeMerge* best = nullptr;
    size_t place = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      for (const BpeMerge& merge : vocabulary.merges) {
        if (merge.left != ids[i] || merge.right != ids[i + 1]) continue;
        if (best == nullptr || merge.rank < best->rank) {
          best = &merge;
          place = i;
        }
        break;  // of one pair the first counts
      }
    }
    if (best == nullptr) return ids;
    ids[place] = best->joined;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

std::vector<TokenId> Encode(const BpeModel& model, std::string_view word, WordCache& cache) {
  std::vector<TokenId> ids;
  model.Encode(word, cache, ids);
  std::vector<TokenId> again;  // this time from the cache
  model.Encode(word, cache, again);
  EXPECT_EQ(ids, again) << word;
  return ids;
}

std::vector<TokenId> Encode(const BpeModel& model, std::string_view word) {
  WordCache cache;
  return Encode(model, word, cache);
}

TEST(BpeModel, MergesAsTheDefinitionSays) {
  std::mt19937 random(29);
  for (int round = 0; round < testing::Rounds(60); ++round) {
    const Vocabulary vocabulary = RandomVocabulary(random, {"a", "b", "c"}, 12);
    const auto model = BpeModel::Create(vocabulary.tokens, vocabulary.merges, {});
    ASSERT_TRUE(model);
    WordCache cache;
    for (int texts = 0; texts < 30; ++texts) {
      std::string text;
      std::vector<TokenId> letters;
      for (size_t n = random() % 90; n > 0; --n) {  // short and long words
        letters.push_back(static_cast<TokenId>(random() % 3));
        text += "abc"[letters.back()];
      }
      EXPECT_EQ(Encode(**model, text, cache), SlowEncode(vocabulary, letters)) << text;
    }
  }
}

TEST(BpeModel, CutsAtSpacesChangeNothing) {
  std::mt19937 random(31);
  for (int round = 0; round < testing::Rounds(60); ++round) {
    const Vocabulary vocabulary = RandomVocabulary(random, {std::string(kSpace), "b", "c"}, 10);
    BpeOptions options;
    options.over_bytes = false;
    const auto model = BpeModel::Create(vocabulary.tokens, vocabulary.merges, options);
    ASSERT_TRUE(model);
    WordCache cache;
    for (int texts = 0; texts < 30; ++texts) {
      std::string text;
      std::vector<TokenId> letters;
      for (size_t n = random() % 60; n > 0; --n) {
        letters.push_back(static_cast<TokenId>(random() % 3));
        text += vocabulary.tokens[static_cast<size_t>(letters.back())];
      }
      EXPECT_EQ(Encode(**model, text, cache), SlowEncode(vocabulary, letters)) << text;
    }
  }
}

TEST(BpeModel, WholeWordsFirstWhereTheModelSaysSo) {
  const std::vector<std::string> tokens = {"a", "b", "ab", "abab"};
  BpeOptions options;
  EXPECT_EQ(Encode(**BpeModel::Create(tokens, {{0, 1, 2, 0}}, options), "abab"),
            (std::vector<TokenId>{2, 2}));
  options.whole_words_first = true;
  EXPECT_EQ(Encode(**BpeModel::Create(tokens, {{0, 1, 2, 0}}, options), "abab"),
            std::vector<TokenId>{3});
}

TEST(BpeModel, CharactersThatAreNoToken) {
  std::vector<std::string> tokens = {"<unk>", "a"};
  BpeOptions options;
  options.over_bytes = false;
  EXPECT_EQ(Encode(**BpeModel::Create(tokens, {}, options), "a\xC3\xA4z"), std::vector<TokenId>{1});
  options.unknown = 0;
  EXPECT_EQ(Encode(**BpeModel::Create(tokens, {}, options), "a\xC3\xA4z\xE2\x96\x81z"),
            (std::vector<TokenId>{1, 0, 0, 0, 0}));
  options.fuse_unknown = true;  // also where the word is cut
  EXPECT_EQ(Encode(**BpeModel::Create(tokens, {}, options), "a\xC3\xA4z\xE2\x96\x81z"),
            (std::vector<TokenId>{1, 0}));
  options.byte_fallback = true;  // not without tokens for its bytes
  EXPECT_EQ(Encode(**BpeModel::Create(tokens, {}, options), "\xC3\xA4"), std::vector<TokenId>{0});
  tokens.push_back("<0xC3>");
  tokens.push_back("<0xA4>");
  EXPECT_EQ(Encode(**BpeModel::Create(tokens, {}, options), "a\xC3\xA4"),
            (std::vector<TokenId>{1, 2, 3}));
}

TEST(BpeModel, RefusesMergesOfNothing) {
  EXPECT_FALSE(BpeModel::Create({"a"}, {{0, 1, 0, 0}}, {}));
  EXPECT_FALSE(BpeModel::Create({"a"}, {{0, 0, -1, 0}}, {}));
}

TEST(BpeModel, KnowsItsLongestToken) {
  std::vector<std::string> bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.emplace_back(1, static_cast<char>(byte));
  EXPECT_EQ((*BpeModel::Create({"a"}, {}, {}))->MaxBytesPerToken(), 0u);  // drops other bytes
  bytes.emplace_back("long token");
  EXPECT_EQ((*BpeModel::Create(bytes, {}, {}))->MaxBytesPerToken(), 10u);
}

TEST(BpeModel, AMegabyteInOneWordTakesSeconds) {
  std::mt19937 random(37);
  std::vector<std::string> letters;
  for (int byte = 0; byte < 256; ++byte) letters.emplace_back(1, static_cast<char>(byte));
  Vocabulary vocabulary = RandomVocabulary(random, letters, 2000);
  std::string run = "a";  // a, aa, aaaa, ...
  for (int i = 0; i < 8; ++i) {
    const auto found = std::ranges::find(vocabulary.tokens, run);
    vocabulary.tokens.push_back(run + run);
    vocabulary.merges.push_back({static_cast<TokenId>(found - vocabulary.tokens.begin()),
                                 static_cast<TokenId>(found - vocabulary.tokens.begin()),
                                 static_cast<TokenId>(vocabulary.tokens.size() - 1),
                                 static_cast<uint32_t>(vocabulary.merges.size())});
    run += run;
  }
  const auto model = BpeModel::Create(vocabulary.tokens, vocabulary.merges, {});
  ASSERT_TRUE(model);
  std::string mixed;
  while (mixed.size() < testing::kLongText) mixed += static_cast<char>(random());
  std::string marks;
  while (marks.size() < testing::kLongText) marks += "\xCC\x81\xCC\xA3";
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& text : {std::string(testing::kLongText, 'a'), mixed, marks}) {
    std::string back;
    for (const TokenId id : Encode(**model, text))
      back += vocabulary.tokens[static_cast<size_t>(id)];
    EXPECT_EQ(back, text);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

}  // namespace
}  // namespace skerry::engine
