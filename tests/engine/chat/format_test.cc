#include "engine/chat/format.h"

#include <gtest/gtest.h>

#include "engine/tokenizer/detokenizer.h"
#include "engine/tokenizer/load.h"
#include "tests/engine/chat/byte_tokenizer.h"

namespace skerry::engine {
namespace {

using testing::ByteTokenizer;

constexpr const char* kDemo = SKERRY_SOURCE_DIR "/installer/demo-model";

TEST(ChatFormat, UnknownOnesSayWhy) {
  const ByteTokenizer plain({"<s>", "</s>"});
  const ByteTokenizer v7({"<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]"});
  struct Case {
    const Tokenizer& tokenizer;
    std::string_view chat_template;
    std::string_view expected;
  };
  const Case cases[] = {
      {plain, "", "no chat template"},
      {plain, "{{ '<start_of_turn>' }}", "none of the formats"},
      {plain, "<|im_start|>", "no token '<|im_start|>'"},
      {plain, "<|im_start|> You are Qwen", "none of the formats"},
      {v7, "", "version 7"},
      {v7, "[SYSTEM_PROMPT][INST]", "version 7"},
  };
  for (const Case& c : cases) {
    const auto format = ChatFormat::Detect(c.tokenizer, c.chat_template);
    ASSERT_FALSE(format) << c.chat_template;
    EXPECT_NE(format.error().message().find(c.expected), std::string::npos)
        << format.error().message();
    EXPECT_NE(format.error().message().find("/v1/completions"), std::string::npos);
  }
}

TEST(ChatFormat, ForcedCallsAndBannedTokens) {
  const auto loaded = LoadTokenizer(std::string(kDemo) + "/model");
  const auto format = ChatFormat::Detect(*loaded->tokenizer, loaded->chat_template);
  ASSERT_TRUE(format);
  const std::vector<TokenId> prefix = format->ForcedCallPrefix("get_weather");
  ASSERT_FALSE(prefix.empty());
  EXPECT_EQ(prefix[0], 5);
  EXPECT_EQ(Decode(*loaded->tokenizer, prefix, true),
            "[{\"name\": \"get_weather\", \"arguments\":");
  EXPECT_EQ(format->BannedTokens({2}, /*tools_offered=*/false),
            (std::vector<TokenId>{1, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(format->BannedTokens({2}, /*tools_offered=*/true),
            (std::vector<TokenId>{1, 3, 4, 6, 7, 8, 9}));
}

}  // namespace
}  // namespace skerry::engine
