#include "engine/chat/tool_notation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/base/testing/fixtures.h"
#include "tests/engine/chat/files.h"

namespace skerry::engine {
namespace {

TEST(ToolNotation, IsRecognisedByTheTemplate) {
  struct Recognised {
    const char* text;
    ToolNotation wanted;
  };
  const Recognised cases[] = {
      {"[TOOL_CALLS]", ToolNotation::kNone},
      {"tools [TOOL_CALLS]", ToolNotation::kMistralList},
      {"tools [TOOL_CALLS] [ARGS]", ToolNotation::kMistralNamed},
      {"tools <tool_call> {\"name\"", ToolNotation::kHermes},
      {"tools <tool_call> <function= {\"name\"", ToolNotation::kNone},
      {"tools <tool_call> <function= <parameter=", ToolNotation::kQwenXml},
      {"tools <tool_call> <arg_key> {\"name\"", ToolNotation::kGlm},
      {"tools <|channel|> <|message|> functions.", ToolNotation::kHarmony},
      {"<|channel|> <|message|> functions.", ToolNotation::kNone},
      {"tools <|start_header_id|> {\"name\": .., \"parameters\"", ToolNotation::kLlama},
      {"tools <|start_header_id|>", ToolNotation::kNone},
      {"<|im_start|>", ToolNotation::kNone},
  };
  for (const Recognised& c : cases) EXPECT_EQ(RecognizeNotation(c.text), c.wanted) << c.text;
}

TEST(ToolNotation, OfPublishedTemplates) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const std::pair<const char*, ToolNotation> cases[] = {
      {"openai-gpt-oss-120b", ToolNotation::kHarmony},
      {"Qwen3-Coder", ToolNotation::kQwenXml},
      {"Qwen3.5-4B", ToolNotation::kQwenXml},
      {"NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", ToolNotation::kQwenXml},
      {"StepFun3.5-Flash", ToolNotation::kQwenXml},
      {"GLM-4.6", ToolNotation::kGlm},
      {"GLM-4.7-Flash", ToolNotation::kGlm},
      {"Qwen-Qwen3-0.6B", ToolNotation::kHermes},
      {"Qwen-QwQ-32B", ToolNotation::kHermes},
      {"ByteDance-Seed-OSS", ToolNotation::kNone},
      {"MiniMax-M2", ToolNotation::kNone},
      {"meetkai-functionary-medium-v3.1", ToolNotation::kNone},
      {"unsloth-mistral-Devstral-Small-2507", ToolNotation::kMistralNamed},
      {"mistralai-Mistral-Nemo-Instruct-2407", ToolNotation::kMistralList},
      {"meta-llama-Llama-3.3-70B-Instruct", ToolNotation::kLlama},
  };
  for (const auto& [name, wanted] : cases) {
    const std::string text = testing::ReadText(fixtures + "/templates/" + name + ".jinja");
    EXPECT_EQ(ToolNotationName(RecognizeNotation(text)), ToolNotationName(wanted)) << name;
  }
}

TEST(ToolNotation, ParsersHaveVllmsNames) {
  EXPECT_EQ(ParseToolCallParser("mistral", false).value(), ToolNotation::kMistralList);
  EXPECT_EQ(ParseToolCallParser("mistral", true).value(), ToolNotation::kMistralNamed);
  EXPECT_EQ(ParseToolCallParser("hermes", true).value(), ToolNotation::kHermes);
  EXPECT_EQ(ParseToolCallParser("llama3_json", true).value(), ToolNotation::kLlama);
  EXPECT_EQ(ParseToolCallParser("qwen3_coder", true).value(), ToolNotation::kQwenXml);
  EXPECT_EQ(ParseToolCallParser("glm45", true).value(), ToolNotation::kGlm);
  EXPECT_EQ(ParseToolCallParser("openai", true).value(), ToolNotation::kHarmony);
  EXPECT_EQ(ParseToolCallParser("none", true).value(), ToolNotation::kNone);
  const auto unknown = ParseToolCallParser("pythonic", true);
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message(), ::testing::HasSubstr("'pythonic' is not known"));
  EXPECT_THAT(unknown.error().message(), ::testing::HasSubstr("auto, mistral, hermes"));
}

// Its parts read as a call by the reader of the same notation is what answer_reader_test checks.
TEST(ToolNotation, ForcedCallsBeginWithTheNotation) {
  const auto text = [](ToolNotation notation, std::string_view name) {
    std::string all;
    for (const NotationPart& part : ForcedCall(notation, name)) all += part.text;
    return all;
  };
  EXPECT_EQ(text(ToolNotation::kQwenXml, "f"), "<tool_call>\n<function=f>\n");
  EXPECT_EQ(text(ToolNotation::kQwenXml, ""), "<tool_call>\n<function=");
  EXPECT_EQ(text(ToolNotation::kGlm, "f"), "<tool_call>f\n");
  EXPECT_EQ(text(ToolNotation::kGlm, ""), "<tool_call>");
  EXPECT_EQ(text(ToolNotation::kHarmony, "f"),
            "<|channel|>commentary to=functions.f <|constrain|>json<|message|>");
  EXPECT_EQ(text(ToolNotation::kHarmony, ""), "<|channel|>commentary to=functions.");
  EXPECT_EQ(text(ToolNotation::kNone, "f"), "");
}

}  // namespace
}  // namespace skerry::engine
