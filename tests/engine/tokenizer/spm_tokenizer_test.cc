#include "engine/tokenizer/spm_tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <random>

#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"
#include "engine/tokenizer/detokenizer.h"
#include "engine/tokenizer/load.h"
#include "engine/tokenizer/utf8.h"
#include "tests/engine/tokenizer/sizes.h"

namespace skerry::engine {
namespace {

constexpr const char* kDemo = SKERRY_SOURCE_DIR "/installer/demo-model/model";

std::unique_ptr<Tokenizer> Demo() {
  auto loaded = LoadTokenizer(kDemo);
  EXPECT_TRUE(loaded) << loaded.error().message();
  return std::move(loaded->tokenizer);
}

SpmModel SmallVocabulary() {
  SpmModel model;
  model.pieces = {{"<unk>", 0, PieceType::kUnknown},
                  {"<s>", 0, PieceType::kControl},
                  {"</s>", 0, PieceType::kControl},
                  {"\xE2\x96\x81", -1},
                  {"a", -2},
                  {"b", -3},
                  {"ab", -10},
                  {"ba", -11},
                  {"\xE2\x96\x81"
                   "ab",
                   -12},
                  {"abab", -13},
                  {"<tool>", 0, PieceType::kUserDefined}};
  model.remove_extra_whitespaces = false;
  return model;
}

// The definition taken literally: find the best pair in the whole text, merge, start again.
std::vector<TokenId> SlowEncode(const SpmModel& model, std::string_view text) {
  std::string normalized;
  for (const char c : " " + std::string(text)) {
    normalized += c == ' ' ? "\xE2\x96\x81" : std::string(1, c);
  }
  const auto find = [&](const std::string& part) {
    for (size_t i = 0; i < model.pieces.size(); ++i) {
      if (model.pieces[i].text == part && model.pieces[i].type == PieceType::kNormal) {
        return static_cast<TokenId>(i);
      }
    }
    return TokenId{-1};
  };
  std::vector<std::string> parts;
  for (std::string_view rest = normalized; !rest.empty();) {
    const size_t length = NextUtf8(rest).length;
    parts.emplace_back(rest.substr(0, length));
    rest.remove_prefix(length);
  }
  while (true) {
    size_t best = parts.size();
    float best_score = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const TokenId id = find(parts[i] + parts[i + 1]);
      if (id < 0) continue;
      if (best == parts.size() || model.pieces[id].score > best_score) {
        best = i;
        best_score = model.pieces[id].score;
      }
    }
    if (best == parts.size()) break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  std::vector<TokenId> ids;
  for (const std::string& part : parts) {
    const TokenId id = find(part);
    if (id >= 0) {
      ids.push_back(id);
    } else if (ids.empty() || ids.back() != 0) {
      ids.push_back(0);
    }
  }
  return ids;
}

TEST(SpmTokenizer, MergesAsTheDefinitionSays) {
  const SpmModel model = SmallVocabulary();
  auto tokenizer = SpmTokenizer::Create(model, true);
  ASSERT_TRUE(tokenizer);
  std::mt19937 random(7);
  for (int round = 0; round < testing::Rounds(3000); ++round) {
    std::string text;
    for (size_t n = random() % 14 + 1; n > 0; --n) text += "ab xa"[random() % 5];
    EXPECT_EQ((*tokenizer)->Encode(text), SlowEncode(model, text)) << "'" << text << "'";
  }
}

TEST(SpmTokenizer, ControlTokensAreNeverTheResultOfText) {
  const auto tokenizer = Demo();
  for (const TokenId id : tokenizer->Encode("<s>[INST] hi [/INST]</s>[TOOL_CALLS]<unk><0x0A>")) {
    EXPECT_FALSE(tokenizer->IsControl(id));
    EXPECT_NE(id, 0);
  }
  EXPECT_EQ(tokenizer->FindControl("[INST]"), 3);
  EXPECT_EQ(tokenizer->FindControl("<s>"), 1);
  EXPECT_EQ(tokenizer->FindControl("[NOTHING]"), std::nullopt);
  EXPECT_EQ(tokenizer->FindControl("\xE2\x96\x81the"), std::nullopt);
  EXPECT_EQ(tokenizer->TokenBytes(3), "");
  EXPECT_EQ(tokenizer->TokenBytes(-1), "");
  EXPECT_EQ(tokenizer->TokenBytes(1024), "");
}

TEST(SpmTokenizer, UserDefinedPiecesStayWhole) {
  SpmModel model = SmallVocabulary();
  model.pieces.push_back({"<b>", 0, PieceType::kUserDefined});
  auto tokenizer = SpmTokenizer::Create(model, true);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ((*tokenizer)->Encode("ab<b>ab"), (std::vector<TokenId>{8, 11, 6}));
  // One that may be structure stays out of text that nobody vouches for.
  for (const TokenId id : (*tokenizer)->Encode("ab<tool>ab")) EXPECT_NE(id, 10);
  const std::string_view text = "ab<tool>ab";
  const TextRange all{0, text.size()};
  EXPECT_EQ((*tokenizer)->EncodeTrusted(text, {&all, 1}), (std::vector<TokenId>{8, 10, 8}));
}

TEST(SpmTokenizer, ThePrefixBehindAddedTokensIsAsTheCheckpointSays) {
  SpmModel model = SmallVocabulary();
  const auto encode = [&](std::string_view text) {
    const auto tokenizer = SpmTokenizer::Create(model, true);
    const TextRange all{0, text.size()};
    return (*tokenizer)->EncodeTrusted(text, {&all, 1});
  };
  EXPECT_EQ(encode("ab<tool>ab"), (std::vector<TokenId>{8, 10, 8}));
  EXPECT_EQ(encode("<tool>ab"), (std::vector<TokenId>{10, 8}));
  EXPECT_EQ(encode("<tool> ab"), (std::vector<TokenId>{10, 3, 8}));
  model.prefix_behind_added_tokens = false;
  EXPECT_EQ(encode("ab<tool>ab"), (std::vector<TokenId>{8, 10, 6}));
  EXPECT_EQ(encode("<tool>ab"), (std::vector<TokenId>{10, 6}));
  EXPECT_EQ(encode("<tool> ab"), (std::vector<TokenId>{10, 8}));
  EXPECT_EQ(encode("<s><tool>"), (std::vector<TokenId>{1, 10}));
  model.add_dummy_prefix = false;
  EXPECT_EQ(encode("ab<tool>ab"), (std::vector<TokenId>{6, 10, 6}));
}

TEST(SpmTokenizer, UnknownNeighboursAreOneToken) {
  auto tokenizer = SpmTokenizer::Create(SmallVocabulary(), true);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ((*tokenizer)->Encode("xyz"), (std::vector<TokenId>{3, 0}));
  EXPECT_EQ((*tokenizer)->Encode(""), std::vector<TokenId>{});
}

TEST(SpmTokenizer, AModelMustKnowEveryToken) {
  auto tokenizer = SpmTokenizer::Create(SmallVocabulary(), true);
  ASSERT_TRUE(tokenizer);
  EXPECT_TRUE((*tokenizer)->LimitTo(11));
  EXPECT_FALSE((*tokenizer)->LimitTo(10));
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// What `shown`, the pieces of a conversation in a row, was written as: without the prefix that each
// text behind a control token got.
std::string AsWritten(const Tokenizer& tokenizer, std::string shown) {
  shown = Replaced(Replaced(std::move(shown), "\xE2\x96\x81", " "), "<0x0A>", "\n");
  for (TokenId id = 0; id < 40; ++id) {
    const std::string name(tokenizer.TokenName(id));
    if (tokenizer.IsControl(id)) shown = Replaced(std::move(shown), name + " ", name);
  }
  return shown;
}

// Mistral's own conversations: text as sentencepiece shows it, with the prefix of each part.
TEST(SpmTokenizer, ConversationsAsMistralEncodesThem) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const auto read = [](const std::string& path) {
    auto files = OpenFiles("/");
    return ReadAll(**files, path.substr(1)).value();
  };
  int compared = 0;
  for (const auto& [version, file] :
       {std::pair{"v1", "tokenizer.model.v1"},
        std::pair{"v2", "mistral_instruct_tokenizer_240216.model.v2"},
        std::pair{"v3", "mistral_instruct_tokenizer_240323.model.v3"}}) {
    const auto loaded = LoadTokenizer(fixtures + "/mistral/tokenizers/" + file);
    ASSERT_TRUE(loaded) << loaded.error().message();
    const Tokenizer& tokenizer = *loaded->tokenizer;
    for (const char* sample : {"get_weather_full", "get_weather_no_history", "no_tools",
                               "get_weather_no_system_prompt", "parallel_calls", "several_calls"}) {
      const std::string folder = fixtures + "/mistral/samples/" + sample;
      const std::string path = folder + "/text_" + version + ".txt";
      if (!std::filesystem::exists(path)) continue;
      const std::string text = AsWritten(tokenizer, read(path));
      std::vector<TokenId> expected;
      const std::string tokens = read(folder + "/tokens_" + version + ".json");
      for (size_t at = tokens.find('['); at < tokens.size(); ++at) {
        if (tokens[at] < '0' || tokens[at] > '9') continue;
        expected.push_back(std::stoi(tokens.substr(at)));
        while (tokens[at] >= '0' && tokens[at] <= '9') ++at;
      }
      const TextPart part{text, true};
      EXPECT_EQ(EncodeParts(tokenizer, {&part, 1}), expected) << path;
      ++compared;
    }
  }
  EXPECT_GE(compared, 13);
}

TEST(SpmTokenizer, RefusesByteFallbackWithoutBytes) {
  SpmModel model = SmallVocabulary();
  model.byte_fallback = true;
  EXPECT_FALSE(SpmTokenizer::Create(model, true));
  model.byte_fallback = false;
  model.unk_id = -1;
  EXPECT_FALSE(SpmTokenizer::Create(model, true));
}

TEST(SpmTokenizer, CollapsesSpacesWhereTheModelSaysSo) {
  SpmModel model = SmallVocabulary();
  model.remove_extra_whitespaces = true;
  auto tokenizer = SpmTokenizer::Create(model, true);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ((*tokenizer)->Encode("  ab   ab "), (*tokenizer)->Encode("ab ab"));
  EXPECT_EQ((*tokenizer)->Encode("   "), std::vector<TokenId>{});
}

TEST(SpmTokenizer, TextSurvivesTheRoundTrip) {
  const auto tokenizer = Demo();
  std::mt19937 random(3);
  const std::string_view parts[] = {
      "a",      "The", " ",          "  ",           "\n",  "\xC3\xA4", "\xF0\x9F\xA6\x99",
      "[INST]", "<s>", "{\"x\": 1}", "\xE2\x82\xAC", "\x01"};
  for (int round = 0; round < testing::Rounds(500); ++round) {
    std::string text;
    for (size_t n = random() % 20; n > 0; --n) text += parts[random() % std::size(parts)];
    EXPECT_EQ(Decode(*tokenizer, tokenizer->Encode(text), /*strip_leading_space=*/true), text);
  }
}

TEST(SpmTokenizer, LongTextsEncodeAsTheirWords) {
  // Far beyond what is encoded at once; every second word touches the place of a cut.
  SpmModel model = SmallVocabulary();
  auto tokenizer = SpmTokenizer::Create(model, true);
  ASSERT_TRUE(tokenizer);
  std::mt19937 random(5);
  std::string text;
  std::vector<TokenId> expected;
  const std::string_view words[] = {"ab", "abab", "ba", "a", "bbab", "abba"};
  std::vector<std::vector<TokenId>> ids;
  for (const std::string_view word : words) ids.push_back((*tokenizer)->Encode(word));
  for (int i = 0; i < testing::Rounds(100'000); ++i) {
    const size_t word = random() % std::size(words);
    text += (i == 0 ? "" : " ") + std::string(words[word]);
    expected.insert(expected.end(), ids[word].begin(), ids[word].end());
  }
  EXPECT_EQ((*tokenizer)->Encode(text), expected);
  // A piece with a space inside joins words: nothing may be cut then.
  model.pieces.push_back({"b\xE2\x96\x81", -0.5F});
  auto joining = SpmTokenizer::Create(model, true);
  ASSERT_TRUE(joining);
  constexpr size_t kPairs = 60'000 / testing::kReduction;
  std::string pairs = "b";
  for (size_t i = 0; i < kPairs; ++i) pairs += " b";
  const std::vector<TokenId> joined = (*joining)->Encode(pairs);
  ASSERT_EQ(joined.size(), kPairs + 2);  // the first space, the new pieces, the last b
  EXPECT_EQ(static_cast<size_t>(std::ranges::count(joined, 11)), kPairs);
}

TEST(SpmTokenizer, WordsThatAreRememberedChangeNothing) {
  const auto tokenizer = Demo();
  std::mt19937 random(13);
  const std::string_view parts[] = {"the", "answer",   " ",        "  ", "\n",
                                    "a",   "\xC3\xA4", "question", ".",  "5"};
  for (int round = 0; round < testing::Rounds(60); ++round) {
    std::string text;
    for (size_t n = random() % 30; n > 0; --n) text += parts[random() % std::size(parts)];
    const auto fresh = Demo();  // remembers nothing yet
    EXPECT_EQ(tokenizer->Encode(text), fresh->Encode(text)) << text;
  }
}

TEST(SpmTokenizer, LeastTokensIsNeverMoreThanEncodeGives) {
  const auto tokenizer = Demo();
  size_t longest = 0;
  for (TokenId id = 0; id < tokenizer->vocab_size(); ++id) {
    if (!tokenizer->IsControl(id)) longest = std::max(longest, tokenizer->TokenName(id).size());
  }
  EXPECT_GE(tokenizer->LeastTokens(1 << 20), (1 << 20) / longest);
  for (TokenId id = 0; id < tokenizer->vocab_size(); ++id) {
    std::string text;  // the piece as it is and with spaces, over and over
    for (int i = 0; i < 50; ++i) text += tokenizer->TokenName(id);
    EXPECT_LE(tokenizer->LeastTokens(text.size()), tokenizer->Encode(text).size()) << id;
    text.clear();
    for (int i = 0; i < 50; ++i) text += tokenizer->TokenBytes(id);
    EXPECT_LE(tokenizer->LeastTokens(text.size()), tokenizer->Encode(text).size()) << id;
  }
  // Where spaces collapse or unknown neighbours are one token, nothing is certain.
  auto small = SpmTokenizer::Create(SmallVocabulary(), true);
  ASSERT_TRUE(small);
  EXPECT_EQ((*small)->LeastTokens(1 << 20), 0u);
}

TEST(SpmTokenizer, LongRunsTakeNoQuadraticTime) {
  const auto tokenizer = Demo();
  const auto start = std::chrono::steady_clock::now();
  constexpr size_t kRun = 200'000 / testing::kReduction;
  for (const std::string& text :
       {std::string(kRun, ' '), std::string(kRun, 'a'), std::string(kRun, 'e')}) {
    EXPECT_EQ(Decode(*tokenizer, tokenizer->Encode(text), true), text);
  }
  // Some seconds with sanitizers on a busy machine; a quadratic algorithm takes hours.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

}  // namespace
}  // namespace skerry::engine
