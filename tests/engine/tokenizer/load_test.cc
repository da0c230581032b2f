#include "engine/tokenizer/load.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"
#include "engine/tokenizer/spm_model.h"

namespace skerry::engine {
namespace {

constexpr const char* kDemo = SKERRY_SOURCE_DIR "/installer/demo-model/model";

std::string ReadText(const std::string& path) {
  auto files = OpenFiles("/");
  return ReadAll(**files, path.substr(1)).value();
}

void Write(const std::string& folder, const std::string& name, std::string_view content) {
  auto files = OpenFiles(folder);
  ASSERT_TRUE(WriteAtomically(**files, name, content));
}

TEST(LoadTokenizer, DemoModel) {
  const auto loaded = LoadTokenizer(kDemo);
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(loaded->tokenizer->vocab_size(), 1024);
  EXPECT_EQ(loaded->stop_tokens, std::vector<TokenId>{2});
  EXPECT_TRUE(loaded->tokenizer->add_bos());
}

TEST(LoadTokenizer, MistralModelsByThemselves) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const std::string base = fixtures + "/mistral/tokenizers/";
  for (const auto& [name, inst] : {std::pair{"tokenizer.model.v1", 0},
                                   std::pair{"mistral_instruct_tokenizer_240216.model.v2", 3},
                                   std::pair{"mistral_instruct_tokenizer_240323.model.v3", 3}}) {
    const auto loaded = LoadTokenizer(base + name);
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(loaded->tokenizer->FindControl("[INST]").value_or(0), inst);
    EXPECT_EQ(loaded->stop_tokens, std::vector<TokenId>{2});
    EXPECT_EQ(loaded->mistral_version,
              inst == 0 ? "v1" : std::string(name).substr(std::string(name).size() - 2));
  }
}

TEST(LoadTokenizer, SaysWhatItFoundInstead) {
  testing::TemporaryDirectory directory;
  const auto empty = LoadTokenizer(directory.path());
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code(), ErrorCode::kNotFound);
  Write(directory.path(), "tokenizer.json", "{}");
  const auto other = LoadTokenizer(directory.path());
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message().find("tokenizer.json: model"), std::string::npos)
      << other.error().message();
  testing::TemporaryDirectory half;
  Write(half.path(), "vocab.json", "{}");
  const auto unclear = LoadTokenizer(half.path());
  ASSERT_FALSE(unclear);
  EXPECT_NE(unclear.error().message().find("'vocab.json'"), std::string::npos);
  EXPECT_NE(LoadTokenizer(half.path(), TokenizerMode::kMistral).error().message().find("tekken"),
            std::string::npos);
  EXPECT_EQ(LoadTokenizer(directory.path() + "/nothing").error().code(), ErrorCode::kNotFound);
}

TEST(LoadTokenizer, AddedTokensExtendTheVocabulary) {
  testing::TemporaryDirectory directory;
  Write(directory.path(), "tokenizer.model", ReadText(std::string(kDemo) + "/tokenizer.model"));
  Write(directory.path(), "tokenizer_config.json",
        R"({"added_tokens_decoder":{"1025":{"content":"<extra>","special":false},
            "1024":{"content":"<|im_end|>","special":true},"1":{"content":"<s>","special":true}}})");
  Write(directory.path(), "generation_config.json", R"({"eos_token_id":[2,1024,9999]})");
  const auto loaded = LoadTokenizer(directory.path());
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(loaded->tokenizer->vocab_size(), 1026);
  EXPECT_EQ(loaded->tokenizer->FindControl("<|im_end|>"), 1024);
  EXPECT_NE(loaded->tokenizer->Encode("<extra>").back(), 1025);
  EXPECT_EQ(EncodeWithControl(*loaded->tokenizer, "<extra>").back(), 1025);
  EXPECT_EQ(loaded->stop_tokens, (std::vector<TokenId>{2, 1024}));
  for (const char* bad : {R"({"added_tokens_decoder":{"1030":{"content":"x"}}})",
                          R"({"added_tokens_decoder":{"x":{"content":"x"}}})",
                          R"({"added_tokens_decoder":{"3":{"content":"x"}}})"}) {
    Write(directory.path(), "tokenizer_config.json", bad);
    EXPECT_FALSE(LoadTokenizer(directory.path())) << bad;
  }
}

// How an added token is found, as Hugging Face's tokenizers do it with the same flags.
TEST(LoadTokenizer, AddedTokensOfSentencePieceHaveFlags) {
  testing::TemporaryDirectory directory;
  Write(directory.path(), "tokenizer.model", ReadText(std::string(kDemo) + "/tokenizer.model"));
  const auto encode = [&](const std::string& flags, const char* text) {
    Write(directory.path(), "tokenizer_config.json",
          R"({"legacy":false,"added_tokens_decoder":{"1024":{"content":"<x>","special":true)" +
              flags + "}}}");
    const auto loaded = LoadTokenizer(directory.path());
    EXPECT_TRUE(loaded) << loaded.error().message();
    return EncodeWithControl(*loaded->tokenizer, text);
  };
  const auto is = [&](const std::string& flags, const char* text, const char* same) {
    EXPECT_EQ(encode(flags, text), encode("", same)) << flags << " " << text;
  };
  is("", "What <x> is", "What <x> is");
  EXPECT_NE(encode("", "What <x> is"), encode("", "What<x>is"));
  is(R"(,"lstrip":true)", "What \t<x> is", "What<x> is");
  is(R"(,"rstrip":true)", "What <x> \n is", "What <x>is");
  is(R"(,"lstrip":true,"rstrip":true)", "What <x> is", "What<x>is");
  is(R"(,"single_word":true)", "What <x> is", "What <x> is");
  // Within a word it is text.
  const std::vector<TokenId> inside = encode(R"(,"single_word":true)", "What<x> is");
  EXPECT_EQ(std::ranges::count(inside, 1024), 0);
  EXPECT_EQ(std::ranges::count(encode("", "What<x> is"), 1024), 1);
  Write(directory.path(), "tokenizer_config.json",
        R"({"added_tokens_decoder":{"1024":{"content":"<x>","lstrip":"yes"}}})");
  EXPECT_FALSE(LoadTokenizer(directory.path()));
}

// A piece of the model that the configuration lists without the flag 'special'.
TEST(LoadTokenizer, PiecesOfTheModelMayBeAddedTokens) {
  testing::TemporaryDirectory directory;
  Write(directory.path(), "tokenizer.model", ReadText(std::string(kDemo) + "/tokenizer.model"));
  const auto plain = LoadTokenizer(directory.path());
  ASSERT_TRUE(plain) << plain.error().message();
  // A piece of two letters that no text begins with: a space would come before.
  TokenId piece = 0;
  while (piece < plain->tokenizer->vocab_size() && plain->tokenizer->TokenName(piece) != "is") {
    ++piece;
  }
  ASSERT_LT(piece, plain->tokenizer->vocab_size());
  Write(directory.path(), "tokenizer_config.json",
        R"({"added_tokens_decoder":{")" + std::to_string(piece) + R"(":{"content":"is"}}})");
  const auto loaded = LoadTokenizer(directory.path());
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(EncodeWithControl(*loaded->tokenizer, "is"), (std::vector<TokenId>{1, piece}));
  EXPECT_EQ(loaded->tokenizer->Encode("is this"), plain->tokenizer->Encode("is this"));
}

TEST(LoadTokenizer, TheLeadingSpaceIsAsTheConfigurationSays) {
  testing::TemporaryDirectory directory;
  Write(directory.path(), "tokenizer.model", ReadText(std::string(kDemo) + "/tokenizer.model"));
  const auto encode = [&](const char* config) {
    Write(directory.path(), "tokenizer_config.json", config);
    const auto loaded = LoadTokenizer(directory.path());
    EXPECT_TRUE(loaded) << loaded.error().message();
    return EncodeWithControl(*loaded->tokenizer, "What is[INST]What is");
  };
  EXPECT_EQ(encode("{}"), (std::vector<TokenId>{1, 533, 324, 3, 533, 324}));
  EXPECT_EQ(encode(R"({"legacy":true})"), encode("{}"));
  const std::vector<TokenId> first_only = encode(R"({"legacy":false})");
  EXPECT_EQ(std::vector<TokenId>(first_only.begin(), first_only.begin() + 4),
            (std::vector<TokenId>{1, 533, 324, 3}));
  EXPECT_NE(first_only[4], 533);
  EXPECT_NE(encode(R"({"add_prefix_space":false})")[1], 533);
}

TEST(LoadTokenizer, AddedTokensAreAsShortAsPieces) {
  testing::TemporaryDirectory directory;
  Write(directory.path(), "tokenizer.model", ReadText(std::string(kDemo) + "/tokenizer.model"));
  const auto load = [&](size_t bytes) {
    Write(directory.path(), "tokenizer_config.json",
          R"({"added_tokens_decoder":{"1024":{"content":")" + std::string(bytes, 'x') + "\"}}}");
    return LoadTokenizer(directory.path());
  };
  EXPECT_TRUE(load(SpmLimits::kMaxPieceBytes));
  const auto longer = load(SpmLimits::kMaxPieceBytes + 1);
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code(), ErrorCode::kExhausted);
  EXPECT_NE(longer.error().message().find("added token 1024"), std::string::npos);
}

constexpr const char* kTokenizerJson =
    R"({"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]},
        "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
        "added_tokens":[{"id":3,"content":"<e>","special":true}]})";
constexpr const char* kTekken =
    R"({"config":{"pattern":"a+|b","default_vocab_size":22,"default_num_special_tokens":20,
                  "version":"v7"},
        "vocab":[{"rank":0,"token_bytes":"YQ=="},{"rank":1,"token_bytes":"Yg=="}]})";
constexpr const char* kVocabTxt = "[UNK]\n[CLS]\n[SEP]\na\n##b\n";

TEST(LoadTokenizer, FoldersOfTokenizerFiles) {
  testing::TemporaryDirectory directory;
  const std::string& path = directory.path();
  Write(path, "vocab.txt", kVocabTxt);
  EXPECT_EQ(LoadTokenizer(path)->tokenizer->Encode("ab"), (std::vector<TokenId>{3, 4}));
  Write(path, "tokenizer.model", ReadText(std::string(kDemo) + "/tokenizer.model"));
  EXPECT_EQ(LoadTokenizer(path)->tokenizer->vocab_size(), 1024);
  Write(path, "tokenizer.json", kTokenizerJson);
  Write(path, "tokenizer_config.json", R"({"eos_token":"<e>"})");
  const auto json = LoadTokenizer(path);
  ASSERT_TRUE(json) << json.error().message();
  EXPECT_EQ(json->tokenizer->Encode("ab"), std::vector<TokenId>{2});
  EXPECT_EQ(json->stop_tokens, std::vector<TokenId>{3});
  EXPECT_EQ(json->mistral_version, "");
  // Mistral's own files count before the others, unless asked for those.
  Write(path, "tokenizer.model.v3", ReadText(std::string(kDemo) + "/tokenizer.model"));
  EXPECT_EQ(LoadTokenizer(path)->mistral_version, "v3");
  Write(path, "tekken.json", kTekken);
  const auto tekken = LoadTokenizer(path);
  ASSERT_TRUE(tekken) << tekken.error().message();
  EXPECT_EQ(tekken->mistral_version, "v7");
  EXPECT_EQ(tekken->tokenizer->Encode("aab"), (std::vector<TokenId>{20, 20, 21}));
  EXPECT_EQ(LoadTokenizer(path, TokenizerMode::kHuggingFace)->source, path + "/tokenizer.json");
  EXPECT_EQ(LoadTokenizer(path, TokenizerMode::kMistral)->source, path + "/tekken.json");
}

TEST(LoadTokenizer, FilesByThemselves) {
  testing::TemporaryDirectory directory;
  const auto load = [&](const char* name, const char* content) {
    Write(directory.path(), name, content);
    const auto loaded = LoadTokenizer(directory.path() + "/" + name);
    EXPECT_TRUE(loaded) << loaded.error().message();
    return loaded->tokenizer->Encode("ab");
  };
  EXPECT_EQ(load("tokenizer.json", kTokenizerJson), std::vector<TokenId>{2});
  EXPECT_EQ(load("some.json", kTokenizerJson), std::vector<TokenId>{2});
  EXPECT_EQ(load("tekken.json", kTekken), (std::vector<TokenId>{20, 21}));
  EXPECT_EQ(load("tekken_240911.json", kTekken), (std::vector<TokenId>{20, 21}));
  EXPECT_EQ(load("vocab.txt", kVocabTxt), (std::vector<TokenId>{3, 4}));
  Write(directory.path(), "odd.json", "{}");
  EXPECT_FALSE(LoadTokenizer(directory.path() + "/odd.json"));
}

}  // namespace
}  // namespace skerry::engine
