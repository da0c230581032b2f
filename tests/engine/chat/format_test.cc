#include "engine/chat/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/tokenizer/detokenizer.h"
#include "engine/tokenizer/load.h"
#include "tests/engine/chat/byte_tokenizer.h"
#include "tests/engine/chat/conversations.h"
#include "tests/engine/chat/files.h"

namespace skerry::engine {
namespace {

using testing::Ask;
using testing::ByteTokenizer;
using ::testing::HasSubstr;

constexpr const char* kDemo = SKERRY_SOURCE_DIR "/installer/demo-model";

ChatSource SourceOf(std::string text) {
  ChatSource source;
  source.templates["default"] = std::move(text);
  return source;
}

const std::vector<std::string> kMistral = {"<s>",
                                           "</s>",
                                           "[INST]",
                                           "[/INST]",
                                           "[AVAILABLE_TOOLS]",
                                           "[/AVAILABLE_TOOLS]",
                                           "[TOOL_RESULTS]",
                                           "[/TOOL_RESULTS]",
                                           "[TOOL_CALLS]"};

TEST(ChatFormat, UnusableOnesSayWhy) {
  const ByteTokenizer plain({"<s>", "</s>"});
  struct Case {
    ChatSource source;
    TokenizerMode mode;
    std::string_view expected;
  };
  ChatSource v7;
  v7.mistral = MistralVersion::kV7;
  ChatSource unnamed;
  unnamed.templates = {{"rag", "x"}, {"tool_use", "y"}};
  const Case cases[] = {
      {{}, TokenizerMode::kAuto, "no chat template"},
      {SourceOf("{% if %}"), TokenizerMode::kAuto, "its chat template cannot be read: line 1"},
      {unnamed, TokenizerMode::kAuto, "called 'default'"},
      {v7, TokenizerMode::kAuto, "no token '[INST]'"},
      {v7, TokenizerMode::kHuggingFace, "no chat template"},
      {SourceOf("x"), TokenizerMode::kMistral, "neither its files nor its tokens"},
  };
  for (const Case& c : cases) {
    const auto format = ChatFormat::Create(plain, c.source, c.mode);
    ASSERT_FALSE(format) << c.expected;
    EXPECT_THAT(format.error().message(), HasSubstr("cannot be used for chat"));
    EXPECT_THAT(format.error().message(), HasSubstr(c.expected));
  }
}

TEST(ChatFormat, TheModeChoosesBetweenTemplateAndMistralsOwn) {
  const ByteTokenizer tokenizer(kMistral);
  ChatSource source = SourceOf("[INST] [/INST] [TOOL_CALLS] tools {{ messages[0].content }}");
  const auto name = [&](TokenizerMode mode) {
    return ChatFormat::Create(tokenizer, source, mode)->name();
  };
  EXPECT_EQ(name(TokenizerMode::kAuto), "template");
  EXPECT_EQ(name(TokenizerMode::kMistral), "mistral v3");
  EXPECT_EQ(name(TokenizerMode::kHuggingFace), "template");
  source.mistral = MistralVersion::kV2;
  EXPECT_EQ(name(TokenizerMode::kAuto), "mistral v2");
  EXPECT_EQ(name(TokenizerMode::kMistral), "mistral v2");
  EXPECT_EQ(name(TokenizerMode::kHuggingFace), "template");
}

TEST(ChatFormat, ForcedCallsAndBannedTokens) {
  const auto loaded = LoadTokenizer(std::string(kDemo) + "/model");
  const auto source = LoadChatSource(std::string(kDemo) + "/model", "");
  const auto format = ChatFormat::Create(*loaded->tokenizer, *source);
  ASSERT_TRUE(format) << format.error().message();
  EXPECT_EQ(format->notation(), ToolNotation::kMistralList);
  EXPECT_EQ(format->StopTokens({9}), (std::vector<TokenId>{9, 2}));
  const std::vector<TokenId> prefix = format->ForcedCallPrefix("get_weather", {});
  ASSERT_FALSE(prefix.empty());
  EXPECT_EQ(prefix[0], 5);
  EXPECT_EQ(Decode(*loaded->tokenizer, prefix, true),
            "[{\"name\": \"get_weather\", \"arguments\":");
  EXPECT_EQ(format->BannedTokens({2}, /*tools_offered=*/false),
            (std::vector<TokenId>{1, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(format->BannedTokens({2}, /*tools_offered=*/true),
            (std::vector<TokenId>{1, 3, 4, 6, 7, 8, 9}));
}

// The demo model's golden prompts, by its template and by Mistral's own format.
TEST(ChatFormat, DemoModelPromptsAreTheGoldenOnes) {
  const auto loaded = LoadTokenizer(std::string(kDemo) + "/model");
  ASSERT_TRUE(loaded) << loaded.error().message();
  const auto source = LoadChatSource(std::string(kDemo) + "/model", "");
  const Tokenizer& tokenizer = *loaded->tokenizer;
  const Json golden = testing::ReadJson(std::string(kDemo) + "/golden.json");
  ASSERT_EQ(golden["cases"].size(), 10u);
  for (const TokenizerMode mode : {TokenizerMode::kAuto, TokenizerMode::kMistral}) {
    const auto format = ChatFormat::Create(tokenizer, *source, mode);
    ASSERT_TRUE(format) << format.error().message();
    EXPECT_EQ(format->name(), mode == TokenizerMode::kAuto ? "template" : "mistral v3");
    EXPECT_TRUE(format->supports_tools());
    int with_tools = 0;
    int with_result = 0;
    for (const Json& item : golden["cases"]) {
      const auto tokens = item["tokens"].get<std::vector<TokenId>>();
      // Text of the segment that begins behind token `begin`.
      const auto segment = [&](TokenId begin) {
        const auto at = std::ranges::find(tokens, begin) + 1;
        auto end = at;
        while (end != tokens.end() && !tokenizer.IsControl(*end)) ++end;
        return Decode(tokenizer, {at, end}, /*strip_leading_space=*/true);
      };
      Conversation conversation = Ask(segment(3));
      if (std::ranges::count(tokens, 6) > 0) {
        conversation.tools = testing::ToolsOf(segment(6));
        ++with_tools;
      }
      if (std::ranges::count(tokens, 8) > 0) {
        const std::string text = segment(5);
        const Json parsed = ParseJson(text).value();
        const std::string_view element = RawElements(text)[0];
        conversation.messages.push_back(testing::Call(
            parsed[0]["id"], parsed[0]["name"], std::string(RawMember(element, "arguments"))));
        conversation.messages.push_back(
            testing::ResultOf(parsed[0]["id"], std::string(RawMember(segment(8), "content"))));
        ++with_result;
      }
      const auto prompt = format->BuildPrompt(conversation, 0);
      ASSERT_TRUE(prompt) << prompt.error().message();
      EXPECT_EQ(format->Encode(*prompt), tokens) << item["name"] << " " << format->name();
    }
    EXPECT_EQ(with_tools, 1);
    EXPECT_EQ(with_result, 1);
  }
}

TEST(ChatFormat, NotationsNeedTheirTokens) {
  const std::string text = "{{ messages[0].content }}{% if tools %}[TOOL_CALLS]{% endif %}";
  EXPECT_TRUE(ChatFormat::Create(ByteTokenizer(kMistral), SourceOf(text))->supports_tools());
  EXPECT_FALSE(
      ChatFormat::Create(ByteTokenizer({"<s>", "</s>"}), SourceOf(text))->supports_tools());
}

TEST(ChatFormat, ForcedCallsOfEachNotation) {
  const ByteTokenizer tokenizer({"<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[ARGS]",
                                 "<tool_call>", "<|start_header_id|>"});
  const auto forced = [&](const std::string& text, std::string_view name) {
    const auto format = ChatFormat::Create(tokenizer, SourceOf("{{ messages[0].content }}" + text));
    std::string shown;
    for (const TokenId id : format->ForcedCallPrefix(name, {})) {
      shown += id < 100 ? std::string(tokenizer.TokenName(id))
                        : std::string(1, static_cast<char>(id - 100));
    }
    return shown;
  };
  EXPECT_EQ(forced("{# tools #}[TOOL_CALLS]", "f"),
            "[TOOL_CALLS][{\"name\": \"f\", \"arguments\":");
  EXPECT_EQ(forced("{# tools #}[TOOL_CALLS]", ""), "[TOOL_CALLS][{\"name\": \"");
  EXPECT_EQ(forced("{# tools #}[TOOL_CALLS][ARGS]", "[ARGS]"), "[TOOL_CALLS][ARGS][ARGS]");
  EXPECT_EQ(forced("{# tools #}[TOOL_CALLS][ARGS]", ""), "[TOOL_CALLS]");
  EXPECT_EQ(forced("{# tools #}<tool_call>{\"name\"", "f"),
            "<tool_call>\n{\"name\": \"f\", \"arguments\":");
  EXPECT_EQ(forced("{# tools #}<|start_header_id|>{\"parameters\"", "f"),
            "{\"name\": \"f\", \"parameters\":");
  EXPECT_EQ(forced("", "f"), "");
}

// --- How answers are read ---

const std::vector<std::string> kHarmony = {"<s>",         "</s>",          "<|start|>",
                                           "<|channel|>", "<|constrain|>", "<|message|>",
                                           "<|end|>",     "<|return|>",    "<|call|>"};
constexpr const char* kChannels =
    "{{ messages[0].content }}{# tools #}<|channel|><|message|>functions.<|start|>assistant";

AnswerNotation ReadingOf(const ChatFormat& format, const Conversation& talk,
                         std::vector<OfferedTool> offered = {}) {
  return format.Reading(format.BuildPrompt(talk, 0).value(), std::move(offered));
}

TEST(Reading, ThoughtsThatThePromptHasBegun) {
  const ByteTokenizer tokenizer({"<s>", "</s>", "<think>", "</think>"});
  struct Case {
    const char* text;
    bool inside;
  };
  const Case cases[] = {
      {"{{ messages[0].content }}assistant\n<think>\n", true},
      {"{{ messages[0].content }}assistant\n<think>", true},
      {"{{ messages[0].content }}assistant\n<think>\n\n</think>\n\n", false},
      {"{{ messages[0].content }}assistant\n", false},
      {"<think>{{ messages[0].content }}", false},
  };
  for (const Case& c : cases) {
    const auto format = ChatFormat::Create(tokenizer, SourceOf(c.text));
    ASSERT_TRUE(format) << format.error().message();
    EXPECT_EQ(format->reasoning(), ReasoningNotation::kThink);
    for (const char* asked : {"Hi", "<think>", "<think>\n"}) {
      const AnswerNotation reading = ReadingOf(*format, Ask(asked));
      EXPECT_EQ(reading.starts_inside, c.inside) << c.text << asked;
      EXPECT_TRUE(reading.reasoning_by_token);
    }
  }
}

TEST(Reading, TheSwitchOfTheTemplateIsFollowed) {
  const ByteTokenizer tokenizer({"<s>", "</s>"});
  const auto format = ChatFormat::Create(
      tokenizer, SourceOf("{{ messages[0].content }}{% if enable_thinking is defined and not "
                          "enable_thinking %}<think></think>{% else %}<think>{% endif %}"));
  Conversation talk = Ask("Hi");
  EXPECT_TRUE(ReadingOf(*format, talk).starts_inside);
  EXPECT_FALSE(ReadingOf(*format, talk).reasoning_by_token);
  talk.template_kwargs = R"({"enable_thinking": false})";
  EXPECT_FALSE(ReadingOf(*format, talk).starts_inside);
  talk.template_kwargs = R"({"enable_thinking": true})";
  talk.reasoning_effort = "none";
  EXPECT_TRUE(ReadingOf(*format, talk).starts_inside);
  talk.template_kwargs.clear();
  EXPECT_FALSE(ReadingOf(*format, talk).starts_inside);
}

TEST(Reading, CallsAreReadWhereToolsAreOffered) {
  const auto format = ChatFormat::Create(ByteTokenizer(kMistral),
                                         SourceOf("{{ messages[0].content }}tools [TOOL_CALLS]"));
  EXPECT_EQ(ReadingOf(*format, Ask("q")).tools, ToolNotation::kNone);
  const AnswerNotation reading = ReadingOf(*format, Ask("q"), {{"f", "{}"}});
  EXPECT_EQ(reading.tools, ToolNotation::kMistralList);
  ASSERT_EQ(reading.offered.size(), 1u);
  EXPECT_EQ(reading.offered[0].parameters, "{}");
}

TEST(Reading, Channels) {
  const ByteTokenizer tokenizer(kHarmony);
  const auto format = ChatFormat::Create(tokenizer, SourceOf(kChannels));
  ASSERT_TRUE(format) << format.error().message();
  EXPECT_EQ(format->notation(), ToolNotation::kHarmony);
  EXPECT_EQ(format->reasoning(), ReasoningNotation::kHarmony);
  // The end of a message is not that of the answer, whatever the checkpoint says.
  EXPECT_EQ(format->StopTokens({1, 6, 7}), (std::vector<TokenId>{1, 7, 7, 8}));
  EXPECT_EQ(format->BannedTokens({7, 8}, false), (std::vector<TokenId>{0, 1}));
  EXPECT_EQ(format->ForcedCallPrefix("f", {})[0], 3);
  // Without its tokens no vocabulary can write them.
  const auto plain = ChatFormat::Create(ByteTokenizer({"<s>", "</s>"}), SourceOf(kChannels));
  EXPECT_EQ(plain->notation(), ToolNotation::kNone);
  EXPECT_EQ(plain->reasoning(), ReasoningNotation::kNone);
}

TEST(Reading, TokensAroundThoughtsMayBeGenerated) {
  const ByteTokenizer tokenizer({"<s>", "</s>", "[THINK]", "[/THINK]", "[OTHER]"});
  const auto format = ChatFormat::Create(tokenizer, SourceOf("{{ messages[0].content }}"));
  EXPECT_EQ(format->BannedTokens({1}, false), (std::vector<TokenId>{0, 4}));
}

TEST(Reading, AForcedCallClosesThoughtsThatThePromptHasBegun) {
  const ByteTokenizer tokenizer({"<s>", "</s>", "<think>", "</think>"});
  const auto format = ChatFormat::Create(
      tokenizer, SourceOf("{{ messages[0].content }}{# tools <tool_call> \"name\" #}<think>\n"));
  const std::vector<TokenId> forced =
      format->ForcedCallPrefix("f", ReadingOf(*format, Ask("q"), {{"f"}}));
  ASSERT_GT(forced.size(), 3u);
  EXPECT_EQ(forced[0], 3);
  EXPECT_EQ(forced[3], '<' + 100);
}

TEST(Reading, ParsersCanBeNamed) {
  const ByteTokenizer think({"<s>", "</s>", "<think>", "</think>", "[TOOL_CALLS]"});
  const std::string text = "{{ messages[0].content }}{# tools <tool_call> \"name\" #}";
  const auto named = [&](const Tokenizer& tokenizer, const std::string& source,
                         const AnswerParsers& parsers) {
    return ChatFormat::Create(tokenizer, SourceOf(source), TokenizerMode::kAuto, parsers);
  };
  EXPECT_EQ(named(think, text, {})->notation(), ToolNotation::kHermes);
  EXPECT_EQ(named(think, text, {.tool_calls = "none"})->notation(), ToolNotation::kNone);
  EXPECT_EQ(named(think, text, {.tool_calls = "mistral"})->notation(), ToolNotation::kMistralList);
  EXPECT_EQ(named(think, text, {.tool_calls = "glm45"})->notation(), ToolNotation::kGlm);
  EXPECT_EQ(named(think, text, {.reasoning = "none"})->reasoning(), ReasoningNotation::kNone);
  EXPECT_EQ(named(think, text, {.reasoning = "mistral"})->reasoning(), ReasoningNotation::kMistral);
  for (const AnswerParsers& wrong :
       {AnswerParsers{.tool_calls = "openai"}, AnswerParsers{.reasoning = "openai_gptoss"}}) {
    const auto refused = named(think, text, wrong);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("<|channel|>"));
  }
  // Channels are read in any case; what is thought is then a part of the text.
  const auto whole = named(ByteTokenizer(kHarmony), kChannels, {.reasoning = "none"});
  const AnswerNotation reading = ReadingOf(*whole, Ask("q"));
  EXPECT_EQ(reading.reasoning, ReasoningNotation::kHarmony);
  EXPECT_FALSE(reading.split_reasoning);
}

}  // namespace
}  // namespace skerry::engine
