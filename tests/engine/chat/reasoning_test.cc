#include "engine/chat/reasoning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/chat/byte_tokenizer.h"

namespace skerry::engine {
namespace {

using testing::ByteTokenizer;

TEST(Reasoning, IsRecognisedByVocabularyAndTemplate) {
  const ByteTokenizer plain({"<s>", "</s>"});
  const ByteTokenizer mistral({"<s>", "</s>", "[THINK]", "[/THINK]"});
  const ByteTokenizer think({"<s>", "</s>", "<think>", "</think>"});
  const ByteTokenizer half({"<s>", "</s>", "<think>"});
  const ByteTokenizer harmony(
      {"<s>", "</s>", "<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>"});
  struct Case {
    const ByteTokenizer& tokenizer;
    const char* text;
    ReasoningNotation wanted;
  };
  const Case cases[] = {
      {plain, "x", ReasoningNotation::kNone},
      {plain, "", ReasoningNotation::kNone},
      {plain, "<think>", ReasoningNotation::kThink},
      {plain, "x.split('</think>')", ReasoningNotation::kThink},
      {plain, "[THINK]", ReasoningNotation::kMistral},
      {mistral, "", ReasoningNotation::kMistral},
      {think, "x", ReasoningNotation::kThink},
      {half, "x", ReasoningNotation::kNone},
      {harmony, "<|channel|>analysis", ReasoningNotation::kHarmony},
      {harmony, "another format", ReasoningNotation::kNone},
      {plain, "<|channel|>analysis", ReasoningNotation::kNone},
  };
  for (const Case& c : cases)
    EXPECT_EQ(RecognizeReasoning(c.tokenizer, c.text), c.wanted) << c.text;
}

TEST(Reasoning, ParsersHaveVllmsNames) {
  EXPECT_EQ(ParseReasoningParser("mistral").value(), ReasoningNotation::kMistral);
  EXPECT_EQ(ParseReasoningParser("qwen3").value(), ReasoningNotation::kThink);
  EXPECT_EQ(ParseReasoningParser("deepseek_r1").value(), ReasoningNotation::kThink);
  EXPECT_EQ(ParseReasoningParser("openai_gptoss").value(), ReasoningNotation::kHarmony);
  EXPECT_EQ(ParseReasoningParser("none").value(), ReasoningNotation::kNone);
  const auto unknown = ParseReasoningParser("granite");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message(), ::testing::HasSubstr("'granite' is not known"));
}

TEST(Reasoning, MarksAreTokens) {
  for (const auto notation : {ReasoningNotation::kMistral, ReasoningNotation::kThink}) {
    const ReasoningMarks marks = MarksOf(notation);
    EXPECT_EQ(ReasoningTokens(notation), (std::vector<std::string_view>{marks.begin, marks.end}));
  }
  EXPECT_TRUE(MarksOf(ReasoningNotation::kHarmony).begin.empty());
  EXPECT_EQ(ReasoningTokens(ReasoningNotation::kHarmony).size(), 5u);
  EXPECT_TRUE(ReasoningTokens(ReasoningNotation::kNone).empty());
}

}  // namespace
}  // namespace skerry::engine
