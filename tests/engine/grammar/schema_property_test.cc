// Random schemas: whatever is generated under the mask obeys, and whatever obeys is let through.
#include <gtest/gtest.h>

#include "engine/grammar/json_schema.h"
#include "engine/tokenizer/detokenizer.h"
#include "engine/tokenizer/load.h"
#include "tests/engine/grammar/schema_oracle.h"
#include "tests/engine/grammar/test_tokenizer.h"

namespace skerry::engine {
namespace {

using Value = SchemaOracle::Value;

#ifdef __SANITIZE_ADDRESS__
constexpr uint32_t kSchemas = 30;
#else
constexpr uint32_t kSchemas = 400;
#endif

// Bytes, and tokens that reach over the borders of values.
std::shared_ptr<const TokenVocabulary> Vocabulary() {
  static const auto vocabulary = MakeByteVocabulary(
      {"{\"",          "\":",   "\": ",  "\",\"", "\", \"", "\"}",  "],",      "]}",      "[[",
       "[{\"",         "null",  "true,", "12",    "00",     "-1.5", "aa",      " a",      "\\\"",
       "\xC3\xA4\xC3", "\xA4z", "p1",    "\"p",   "}}",     "1]",   "\\u00e4", "\\ud83e", "hello",
       "e1",           "0.2",   ",{",    "\"\"",  "a\",",   "\n",   "\\"});
  return vocabulary;
}

// A text of random tokens; those that end something are taken more often once it is long.
std::string RandomText(const std::shared_ptr<Constraint>& constraint, std::mt19937& random) {
  const TokenVocabulary& vocabulary = constraint->vocabulary();
  Matcher matcher(constraint);
  std::string text;
  std::vector<uint32_t> mask(vocabulary.mask_words());
  for (int step = 0; !matcher.Ended(); ++step) {
    EXPECT_TRUE(matcher.FillMask(mask));
    std::vector<TokenId> allowed;
    std::vector<TokenId> ending;
    for (TokenId id = 0; id < vocabulary.n_tokens(); ++id) {
      if (!IsAllowed(mask, id)) continue;
      allowed.push_back(id);
      const std::string_view bytes = vocabulary.Bytes(id);
      if (id == 0 || bytes == "\"" || bytes == "]" || bytes == "}") ending.push_back(id);
    }
    if (allowed.empty() || step > 5000) {
      ADD_FAILURE() << "stuck behind " << text;
      break;
    }
    const bool end = !ending.empty() && random() % (step > 60 ? 2 : 6) == 0;
    const std::vector<TokenId>& from = end ? ending : allowed;
    const TokenId token = from[random() % from.size()];
    EXPECT_TRUE(matcher.Accept(token));
    text += vocabulary.Bytes(token);
  }
  return text;
}

TEST(SchemaProperty, WhatIsGeneratedObeys) {
  std::mt19937 random(1);
  for (uint32_t seed = 0; seed < kSchemas; ++seed) {
    const Value schema = SchemaOracle(seed).RandomSchema(3);
    const auto grammar = CompileJsonSchema(schema.dump());
    ASSERT_TRUE(grammar) << schema << " " << grammar.error().message();
    const auto constraint = std::make_shared<Constraint>(*grammar, Vocabulary());
    for (int i = 0; i < 3; ++i) {
      const std::string text = RandomText(constraint, random);
      const Value value = Value::parse(text, nullptr, /*allow_exceptions=*/false);
      ASSERT_FALSE(value.is_discarded()) << schema << "\n" << text;
      ASSERT_TRUE(SchemaOracle::Obeys(value, schema)) << schema << "\n" << text;
    }
  }
}

TEST(SchemaProperty, WhatObeysIsLetThrough) {
  std::mt19937 random(2);
  const TokenVocabulary& vocabulary = *Vocabulary();
  for (uint32_t seed = 0; seed < kSchemas; ++seed) {
    SchemaOracle oracle(seed);
    const Value schema = oracle.RandomSchema(3);
    const auto grammar = CompileJsonSchema(schema.dump());
    ASSERT_TRUE(grammar) << schema << " " << grammar.error().message();
    const auto constraint = std::make_shared<Constraint>(*grammar, Vocabulary());
    for (int i = 0; i < 5; ++i) {
      const Value value = oracle.RandomValue(schema);
      ASSERT_TRUE(SchemaOracle::Obeys(value, schema)) << schema << "\n" << value;
      const std::string text = value.dump();
      Matcher matcher(constraint);
      // Any way to cut the text into tokens.
      for (size_t at = 0; at < text.size();) {
        const std::vector<uint32_t> mask = MaskOf(matcher, vocabulary);
        std::vector<TokenId> fitting;
        for (TokenId id = 1; id < vocabulary.n_tokens(); ++id) {
          if (vocabulary.Bytes(id).empty()) continue;  // bytes that no text has
          if (text.compare(at, vocabulary.Bytes(id).size(), vocabulary.Bytes(id)) != 0) continue;
          ASSERT_TRUE(IsAllowed(mask, id)) << schema << "\n" << text << "\nat " << at;
          fitting.push_back(id);
        }
        const TokenId token = fitting[random() % fitting.size()];
        ASSERT_TRUE(matcher.Accept(token));
        at += vocabulary.Bytes(token).size();
      }
      EXPECT_TRUE(matcher.CanEnd()) << schema << "\n" << text;
    }
  }
}

// A real tokenizer: SentencePiece, with a space before everything and bytes as tokens. What the
// detokenizer makes of the tokens obeys.
TEST(SchemaProperty, TokensOfTheDemoModel) {
  const auto loaded = LoadTokenizer(SKERRY_SOURCE_DIR "/installer/demo-model/model");
  ASSERT_TRUE(loaded) << loaded.error().message();
  const Tokenizer& tokenizer = *loaded->tokenizer;
  const auto vocabulary = std::make_shared<const TokenVocabulary>(
      TokenVocabulary::Create(tokenizer, loaded->stop_tokens, tokenizer.vocab_size()).value());
  std::mt19937 random(3);
  for (uint32_t seed = 0; seed < kSchemas / 10; ++seed) {
    const Value schema = SchemaOracle(seed).RandomSchema(2);
    const auto grammar = CompileJsonSchema(schema.dump());
    ASSERT_TRUE(grammar) << schema << " " << grammar.error().message();
    Matcher matcher(std::make_shared<Constraint>(*grammar, vocabulary),
                    /*strip_leading_space=*/true);
    std::vector<TokenId> tokens;
    while (!matcher.Ended() && tokens.size() < 3000) {
      const std::vector<uint32_t> mask = MaskOf(matcher, *vocabulary);
      // Most tokens are words: a number between them and the closing ones decides.
      const auto start = static_cast<TokenId>(random() % (random() % 2 ? 1024 : 260));
      TokenId token = start;
      while (!IsAllowed(mask, token)) token = (token + 1) % vocabulary->n_tokens();
      ASSERT_TRUE(matcher.Accept(token));
      if (!matcher.Ended()) tokens.push_back(token);
    }
    const std::string text = Decode(tokenizer, tokens, /*strip_leading_space=*/true);
    if (!matcher.Ended()) continue;  // a long text
    const Value value = Value::parse(text, nullptr, /*allow_exceptions=*/false);
    ASSERT_FALSE(value.is_discarded()) << schema << "\n" << text;
    ASSERT_TRUE(SchemaOracle::Obeys(value, schema)) << schema << "\n" << text;
  }
}

}  // namespace
}  // namespace skerry::engine
