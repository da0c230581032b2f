#include "engine/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include "engine/tokenizer/load.h"

namespace skerry::engine {
namespace {

TEST(EncodeWithControl, NamesBecomeControlTokens) {
  const auto loaded = LoadTokenizer(SKERRY_SOURCE_DIR "/installer/demo-model/model");
  ASSERT_TRUE(loaded) << loaded.error().message();
  const Tokenizer& tokenizer = *loaded->tokenizer;
  // The first case of the demo model's golden values.
  EXPECT_EQ(EncodeWithControl(tokenizer, "[INST]What is Skerry?[/INST]"),
            (std::vector<TokenId>{1, 3, 533, 324, 567, 1000, 4}));
  EXPECT_EQ(EncodeWithControl(tokenizer, ""), (std::vector<TokenId>{1}));
  EXPECT_EQ(EncodeWithControl(tokenizer, "[INST"), [&] {
    std::vector<TokenId> ids = tokenizer.Encode("[INST");
    ids.insert(ids.begin(), 1);
    return ids;
  }());
}

}  // namespace
}  // namespace skerry::engine
