// internal/answer_shape: texts of the layouts' grammars are read as calls and texts by the chat's
// own readers, in every notation.
#include "engine/api/internal/answer_shape.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "appliance/base/json.h"
#include "engine/runtime/answer.h"
#include "tests/engine/chat/byte_tokenizer.h"

namespace skerry::engine {
namespace {

using internal::ChatLayout;
using internal::ChatWishes;
using internal::LayOutChat;
using testing::ByteTokenizer;

constexpr TokenId kStop = 1;

ByteTokenizer MakeTokenizer() {
  return ByteTokenizer({"<s>", "</s>", "[TOOL_CALLS]", "[ARGS]", "<tool_call>", "</tool_call>",
                        "<think>", "</think>", "<|start|>", "<|channel|>", "<|constrain|>",
                        "<|message|>", "<|end|>"});
}

ChatWishes TwoTools(bool required, bool several = true) {
  ChatWishes wishes;
  wishes.tools.resize(2);
  wishes.tools[0].name = "add";
  wishes.tools[0].parameters =
      R"({"type":"object","properties":{"a":{"type":"integer","maximum":9,"minimum":0}},"required":["a"]})";
  wishes.tools[1].name = "say \"hi\"";
  wishes.tools[1].parameters =
      R"({"type":"object","properties":{"t":{"enum":["}","]"]}},"required":["t"]})";
  wishes.call_required = required;
  wishes.several_calls = several;
  return wishes;
}

AnswerNotation Notation(ToolNotation tools, const ChatWishes& wishes) {
  AnswerNotation reading;
  reading.tools = tools;
  for (const ToolDefinition& tool : wishes.tools) {
    reading.offered.push_back({tool.name, tool.parameters});
  }
  return reading;
}

struct Read {
  std::string reasoning;
  std::string text;
  std::vector<ToolCall> calls;
};

// A random text of the layout's grammar, as the chat reads it. Stops where it may, most often.
Read Generate(const Tokenizer& tokenizer, const AnswerNotation& reading, const ChatLayout& layout,
              std::vector<TokenId> begin, uint32_t seed) {
  const std::vector<TokenId> stops = {kStop};
  const auto vocabulary = std::make_shared<const TokenVocabulary>(
      TokenVocabulary::Create(tokenizer, stops, tokenizer.vocab_size()).value());
  auto grammar = CompileAnswer(*layout.shape);
  EXPECT_TRUE(grammar) << grammar.error().message();
  Matcher matcher(std::make_shared<Constraint>(*grammar, vocabulary));
  AnswerOptions options;
  options.reading = reading;
  Answer answer(tokenizer, options);
  Read read;
  const auto add = [&](Answer::Delta delta) {
    read.reasoning += delta.reasoning;
    read.text += delta.text;
    for (ToolCall& call : delta.calls) read.calls.push_back(std::move(call));
  };
  for (const TokenId token : begin) add(answer.Push(token));
  std::mt19937 random(seed);
  std::vector<uint32_t> mask(vocabulary->mask_words());
  for (int i = 0; i < 2000; ++i) {
    EXPECT_TRUE(matcher.FillMask(mask));
    std::vector<TokenId> allowed;
    for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
      const bool readable = tokenizer.IsControl(id) || (id >= 100 + ' ' && id < 100 + 127);
      if ((mask[id / 32] >> (id % 32) & 1) != 0 && readable) allowed.push_back(id);
    }
    if (allowed.empty()) break;
    // Control tokens are rare among all bytes: they are what this is about.
    std::vector<TokenId> control;
    for (const TokenId id : allowed) {
      if (tokenizer.IsControl(id) && id != kStop) control.push_back(id);
    }
    TokenId token = allowed[random() % allowed.size()];
    if (matcher.CanEnd() && random() % 3 == 0) token = kStop;
    if (!control.empty() && random() % 8 == 0) token = control[random() % control.size()];
    EXPECT_TRUE(matcher.Accept(token));
    if (token == kStop) {
      add(answer.Finish(/*cut=*/false));
      return read;
    }
    add(answer.Push(token));
  }
  ADD_FAILURE() << "the text had no end";
  return read;
}

void ExpectObedience(const Read& read, const std::string& where) {
  for (const ToolCall& call : read.calls) {
    const auto arguments = ParseJson(call.arguments);
    ASSERT_TRUE(arguments) << where << call.arguments;
    EXPECT_EQ(arguments->size(), 1u) << where << call.arguments;
    if (call.name == "add") {
      EXPECT_TRUE((*arguments)["a"].is_number_integer()) << where << call.arguments;
    } else {
      EXPECT_EQ(call.name, "say \"hi\"") << where;
      EXPECT_TRUE((*arguments)["t"] == "}" || (*arguments)["t"] == "]") << where << call.arguments;
    }
  }
}

TEST(AnswerShape, CallsAreReadInEveryNotationOfJson) {
  const ByteTokenizer tokenizer = MakeTokenizer();
  for (const ToolNotation notation : {ToolNotation::kMistralList, ToolNotation::kMistralNamed,
                                      ToolNotation::kHermes, ToolNotation::kLlama}) {
    const std::string where(ToolNotationName(notation));
    std::set<size_t> counts;
    for (uint32_t seed = 0; seed < 24; ++seed) {
      const ChatWishes wishes = TwoTools(/*required=*/true, /*several=*/seed % 2 == 0);
      const AnswerNotation reading = Notation(notation, wishes);
      const auto layout = LayOutChat(tokenizer, reading, wishes);
      ASSERT_TRUE(layout && layout->shape) << where;
      EXPECT_FALSE(layout->begins_as_call);
      const Read read = Generate(tokenizer, reading, *layout, layout->begin, seed);
      EXPECT_EQ(read.text, "") << where;
      ASSERT_GE(read.calls.size(), 1u) << where;
      if (seed % 2 == 1) {
        EXPECT_EQ(read.calls.size(), 1u) << where;
      }
      counts.insert(read.calls.size());
      ExpectObedience(read, where);
    }
    EXPECT_GT(counts.size(), 1u) << where;
  }
}

TEST(AnswerShape, WhereNoCallIsRequiredBothCome) {
  const ByteTokenizer tokenizer = MakeTokenizer();
  const ChatWishes wishes = TwoTools(/*required=*/false);
  for (const ToolNotation notation : {ToolNotation::kMistralList, ToolNotation::kMistralNamed,
                                      ToolNotation::kHermes, ToolNotation::kLlama}) {
    const AnswerNotation reading = Notation(notation, wishes);
    const auto layout = LayOutChat(tokenizer, reading, wishes);
    ASSERT_TRUE(layout && layout->shape);
    int texts = 0;
    for (uint32_t seed = 0; seed < 24; ++seed) {
      const Read read = Generate(tokenizer, reading, *layout, {}, seed);
      if (read.calls.empty()) ++texts;
      ExpectObedience(read, std::string(ToolNotationName(notation)));
    }
    EXPECT_GT(texts, 0) << ToolNotationName(notation);
  }
}

TEST(AnswerShape, TextsBehindThoughts) {
  const ByteTokenizer tokenizer = MakeTokenizer();
  ChatWishes wishes;
  wishes.text = {TextRule::Kind::kRegex, "[a-f]{3}", {}};
  AnswerNotation reading;
  reading.reasoning = ReasoningNotation::kThink;
  reading.reasoning_by_token = true;
  int thought = 0;
  for (uint32_t seed = 0; seed < 24; ++seed) {
    reading.starts_inside = seed % 2 == 0;
    const auto layout = LayOutChat(tokenizer, reading, wishes);
    ASSERT_TRUE(layout && layout->shape);
    const Read read = Generate(tokenizer, reading, *layout, {}, seed);
    EXPECT_EQ(read.text.size(), 3u) << read.text;
    EXPECT_EQ(read.text.find_first_not_of("abcdef"), std::string::npos) << read.text;
    if (!read.reasoning.empty()) ++thought;
  }
  EXPECT_GT(thought, 0);
}

TEST(AnswerShape, ChannelsOfGptOss) {
  const ByteTokenizer tokenizer = MakeTokenizer();
  AnswerNotation reading;
  reading.reasoning = ReasoningNotation::kHarmony;
  reading.reasoning_by_token = true;
  ChatWishes wishes;
  wishes.text = {TextRule::Kind::kRegex, "[a-f]{3}", {}};
  auto layout = LayOutChat(tokenizer, reading, wishes);
  ASSERT_TRUE(layout && layout->shape);
  for (uint32_t seed = 0; seed < 8; ++seed) {
    const Read read = Generate(tokenizer, reading, *layout, layout->begin, seed);
    EXPECT_EQ(read.text.size(), 3u) << read.text;
  }
  // A required call: the beginning is forced as the notation has it.
  wishes = TwoTools(/*required=*/true);
  wishes.tools[1].name = "say";
  reading = Notation(ToolNotation::kHarmony, wishes);
  reading.reasoning = ReasoningNotation::kHarmony;
  layout = LayOutChat(tokenizer, reading, wishes);
  ASSERT_TRUE(layout && layout->shape);
  EXPECT_TRUE(layout->begins_as_call);
  std::vector<TokenId> begin = {*tokenizer.FindControl("<|channel|>")};
  for (const TokenId id : tokenizer.Encode("commentary to=functions.")) begin.push_back(id);
  for (uint32_t seed = 0; seed < 8; ++seed) {
    const Read read = Generate(tokenizer, reading, *layout, begin, seed);
    ASSERT_EQ(read.calls.size(), 1u);
    EXPECT_EQ(read.text, "");
    EXPECT_TRUE(read.calls[0].name == "add" || read.calls[0].name == "say");
  }
}

TEST(AnswerShape, NotationsThatAreNoJson) {
  const ByteTokenizer tokenizer = MakeTokenizer();
  for (const ToolNotation notation : {ToolNotation::kQwenXml, ToolNotation::kGlm}) {
    ChatWishes wishes = TwoTools(/*required=*/false);
    auto layout = LayOutChat(tokenizer, Notation(notation, wishes), wishes);
    ASSERT_TRUE(layout);
    EXPECT_FALSE(layout->shape);
    EXPECT_FALSE(layout->begins_as_call);
    wishes.call_required = true;
    layout = LayOutChat(tokenizer, Notation(notation, wishes), wishes);
    ASSERT_TRUE(layout);
    EXPECT_TRUE(layout->begins_as_call);
    wishes.call_required = false;
    wishes.text.kind = TextRule::Kind::kAnyObject;
    EXPECT_FALSE(LayOutChat(tokenizer, Notation(notation, wishes), wishes));
  }
}

}  // namespace
}  // namespace skerry::engine
