#include "engine/runtime/answer.h"

#include <gtest/gtest.h>

#include "engine/tokenizer/load.h"
#include "tests/engine/chat/byte_tokenizer.h"

namespace skerry::engine {
namespace {

constexpr TokenId kToolCalls = 5;

std::unique_ptr<Tokenizer> Demo() {
  auto loaded = LoadTokenizer(SKERRY_SOURCE_DIR "/installer/demo-model/model");
  EXPECT_TRUE(loaded) << loaded.error().message();
  return std::move(loaded->tokenizer);
}

struct All {
  std::string reasoning;
  std::string text;
  std::vector<ToolCall> calls;
  bool ended = false;
};

All Feed(Answer& answer, const std::vector<TokenId>& tokens, bool cut = false) {
  All all;
  const auto add = [&](Answer::Delta delta) {
    all.reasoning += delta.reasoning;
    all.text += delta.text;
    for (ToolCall& call : delta.calls) all.calls.push_back(std::move(call));
    return delta.ended;
  };
  for (const TokenId token : tokens) {
    if (!add(answer.Push(token))) continue;
    all.ended = true;
    break;
  }
  add(answer.Finish(cut));
  return all;
}

TEST(Answer, StopStringsAcrossTokens) {
  const auto tokenizer = Demo();
  AnswerOptions options;
  options.strip_leading_space = true;
  options.stop_strings = {"a LLM", "trusted LLM"};
  Answer answer(*tokenizer, options);
  const All all = Feed(answer, tokenizer->Encode("into a trusted LLM endpoint"));
  EXPECT_EQ(all.text, "into a ");
  EXPECT_TRUE(all.ended);
}

TEST(Answer, MinTokensHoldBackStopStrings) {
  const auto tokenizer = Demo();
  const std::vector<TokenId> once = tokenizer->Encode("stop here");
  std::vector<TokenId> twice = once;
  twice.insert(twice.end(), once.begin(), once.end());
  AnswerOptions options;
  options.stop_strings = {"here"};
  const std::string text = Decode(*tokenizer, once, /*strip_leading_space=*/false);
  const std::string before = text.substr(0, text.find("here"));
  for (const int32_t min_tokens : {0, static_cast<int32_t>(once.size())}) {
    options.min_tokens = min_tokens;
    Answer answer(*tokenizer, options);
    const All all = Feed(answer, twice);
    EXPECT_TRUE(all.ended);
    EXPECT_EQ(all.text, min_tokens == 0 ? before : text + before);
  }
  options.min_tokens = static_cast<int32_t>(twice.size());
  Answer answer(*tokenizer, options);
  const All all = Feed(answer, twice);
  EXPECT_FALSE(all.ended);
  EXPECT_EQ(all.text, text + text);
}

TEST(Answer, ControlTokensAreNotShown) {
  const auto tokenizer = Demo();
  Answer answer(*tokenizer, {});
  std::vector<TokenId> tokens = {kToolCalls, 3, 1};
  const auto text = tokenizer->Encode("x");
  tokens.insert(tokens.end(), text.begin(), text.end());
  EXPECT_EQ(Feed(answer, tokens).text, " x");
}

TEST(Answer, ToolCallsInsteadOfTheirNotation) {
  const auto tokenizer = Demo();
  AnswerOptions options;
  options.strip_leading_space = true;
  options.reading.tools = ToolNotation::kMistralList;
  Answer answer(*tokenizer, options);
  std::vector<TokenId> tokens = tokenizer->Encode("Let me see.");
  tokens.push_back(kToolCalls);
  const auto list = tokenizer->Encode(
      R"([{"name": "a", "arguments": {"x": "\u00e4"}, "id": "1"}, {"name": "b", "arguments": {}}])");
  tokens.insert(tokens.end(), list.begin(), list.end());
  const All all = Feed(answer, tokens);
  EXPECT_EQ(all.text, "Let me see.");
  ASSERT_EQ(all.calls.size(), 2u);
  EXPECT_EQ(all.calls[0].arguments, R"({"x": "\u00e4"})");
  EXPECT_TRUE(answer.has_calls());
  EXPECT_FALSE(all.ended);
}

TEST(Answer, EndsAfterTheCallsWanted) {
  const auto tokenizer = Demo();
  AnswerOptions options;
  options.reading.tools = ToolNotation::kMistralList;
  options.max_calls = 1;
  Answer answer(*tokenizer, options);
  std::vector<TokenId> tokens = tokenizer->Encode(R"([{"name": "a"}, {"name": "b"}])");
  tokens.insert(tokens.begin(), kToolCalls);
  const All all = Feed(answer, tokens);
  EXPECT_EQ(all.calls.size(), 1u);
  EXPECT_TRUE(all.ended);
}

TEST(Answer, BrokenCallsAreTextUnlessCut) {
  const auto tokenizer = Demo();
  AnswerOptions options;
  options.reading.tools = ToolNotation::kMistralList;
  for (const bool cut : {false, true}) {
    Answer answer(*tokenizer, options);
    std::vector<TokenId> tokens = tokenizer->Encode(R"([{"name": "a", "arg)");
    tokens.insert(tokens.begin(), kToolCalls);
    const All all = Feed(answer, tokens, cut);
    EXPECT_EQ(all.text, cut ? "" : R"([{"name": "a", "arg)");
    EXPECT_TRUE(all.calls.empty());
  }
}

// The answer of a model whose notation is text: stop strings see what is no call.
TEST(Answer, CallsInTextAreToldFromIt) {
  const auto tokenizer = Demo();
  AnswerOptions options;
  options.strip_leading_space = true;
  options.reading.tools = ToolNotation::kHermes;
  options.reading.offered = {{"a"}};
  options.stop_strings = {"STOP"};
  Answer answer(*tokenizer, options);
  const All all =
      Feed(answer, tokenizer->Encode("Let me see. <tool_call>\n{\"name\": \"a\", \"arguments\": "
                                     "{\"x\": \"STOP\"}}\n</tool_call> ok STOP no"));
  EXPECT_EQ(all.text, "Let me see. ok ");
  ASSERT_EQ(all.calls.size(), 1u);
  EXPECT_EQ(all.calls[0].arguments, R"({"x": "STOP"})");
  EXPECT_TRUE(all.ended);
}

TEST(Answer, WhatIsNoCallIsText) {
  const auto tokenizer = Demo();
  for (const char* text : {"a < b <tool", "<tool_call>{\"name\": \"z\"}</tool_call>"}) {
    AnswerOptions options;
    options.strip_leading_space = true;
    options.reading.tools = ToolNotation::kHermes;
    options.reading.offered = {{"a"}};
    Answer answer(*tokenizer, options);
    EXPECT_EQ(Feed(answer, tokenizer->Encode(text)).text, text);
  }
}

// Thoughts between tokens of the vocabulary, control tokens or not.
TEST(Answer, ThoughtsAreTakenOut) {
  const testing::ByteTokenizer tokenizer({"<s>", "</s>", "<think>", "</think>"});
  const auto tokens = [&](std::string_view text) {
    const TextRange all{0, text.size()};
    return tokenizer.EncodeTrusted(text, {&all, 1});
  };
  AnswerOptions options;
  options.reading.reasoning = ReasoningNotation::kThink;
  options.reading.reasoning_by_token = true;
  options.stop_strings = {"STOP"};
  Answer answer(tokenizer, options);
  const All all = Feed(answer, tokens("<think>\nSTOP? \n</think>\n\nYes. STOP no"));
  EXPECT_EQ(all.reasoning, "STOP?");
  EXPECT_EQ(all.text, "Yes. ");
  EXPECT_TRUE(all.ended);
  Answer cut(tokenizer, options);
  EXPECT_EQ(Feed(cut, tokens("<think>still "), /*cut=*/true).reasoning, "still");
}

TEST(Answer, HalfACharacterAtTheEndIsReplaced) {
  const auto tokenizer = Demo();
  Answer answer(*tokenizer, {});
  std::vector<TokenId> tokens = tokenizer->Encode("\xF0\x9F\xA6\x99");
  tokens.pop_back();
  EXPECT_EQ(Feed(answer, tokens, /*cut=*/true).text, " \xEF\xBF\xBD");
}

}  // namespace
}  // namespace skerry::engine
