#include "engine/tokenizer/load.h"

#include <gtest/gtest.h>

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
  EXPECT_NE(loaded->chat_template.find("[AVAILABLE_TOOLS]"), std::string::npos);
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
  EXPECT_NE(other.error().message().find("tokenizer.json"), std::string::npos);
  EXPECT_EQ(LoadTokenizer(directory.path() + "/nothing").error().code(), ErrorCode::kNotFound);
}

TEST(LoadTokenizer, AddedTokensExtendTheVocabulary) {
  testing::TemporaryDirectory directory;
  Write(directory.path(), "tokenizer.model", ReadText(std::string(kDemo) + "/tokenizer.model"));
  Write(directory.path(), "tokenizer_config.json",
        R"({"added_tokens_decoder":{"1025":{"content":"<extra>","special":false},
            "1024":{"content":"<|im_end|>","special":true},"1":{"content":"<s>","special":true}}})");
  Write(directory.path(), "generation_config.json", R"({"eos_token_id":[2,1024,9999]})");
  Write(directory.path(), "chat_template.jinja", "T");
  const auto loaded = LoadTokenizer(directory.path());
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(loaded->tokenizer->vocab_size(), 1026);
  EXPECT_EQ(loaded->tokenizer->FindControl("<|im_end|>"), 1024);
  EXPECT_NE(loaded->tokenizer->Encode("<extra>").back(), 1025);
  EXPECT_EQ(EncodeWithControl(*loaded->tokenizer, "<extra>").back(), 1025);
  EXPECT_EQ(loaded->stop_tokens, (std::vector<TokenId>{2, 1024}));
  EXPECT_EQ(loaded->chat_template, "T");
  for (const char* bad : {R"({"added_tokens_decoder":{"1030":{"content":"x"}}})",
                          R"({"added_tokens_decoder":{"x":{"content":"x"}}})",
                          R"({"added_tokens_decoder":{"3":{"content":"x"}}})"}) {
    Write(directory.path(), "tokenizer_config.json", bad);
    EXPECT_FALSE(LoadTokenizer(directory.path())) << bad;
  }
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

}  // namespace
}  // namespace skerry::engine
