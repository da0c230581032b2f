// Mistral's own formats against the chat templates that Mistral publishes for the same versions:
// the same text for generated conversations.
#include <gtest/gtest.h>

#include <random>

#include "appliance/base/testing/fixtures.h"
#include "engine/chat/mistral_format.h"
#include "engine/chat/template_format.h"
#include "tests/engine/chat/byte_tokenizer.h"
#include "tests/engine/chat/conversations.h"
#include "tests/engine/chat/files.h"
#include "tests/engine/tokenizer/sizes.h"

namespace skerry::engine {
namespace {

using testing::ByteTokenizer;
using testing::Say;

const int kConversations = testing::Rounds(300);  // for each template

struct Published {
  const char* name;
  MistralVersion version;
  bool thinks = false;
};

class Generator {
 public:
  Generator(uint64_t seed, const Published& published) : random_(seed), published_(published) {}

  Conversation Next() {
    Conversation talk;
    if (Chance(2)) talk.messages.push_back(Say(Role::kSystem, Text()));
    const int exchanges = Number(1, 4);
    for (int i = 0; i < exchanges; ++i) AddExchange(talk, i + 1 == exchanges);
    const bool tools = published_.version != MistralVersion::kV1 && Chance(2);
    for (int i = Number(1, 3); tools && i > 0; --i) talk.tools.push_back(Tool());
    if (published_.version == MistralVersion::kV15 && Chance(2)) talk.reasoning_effort = "high";
    return talk;
  }

 private:
  int Number(int low, int high) { return std::uniform_int_distribution(low, high)(random_); }
  bool Chance(int of) { return Number(1, of) == 1; }

  // Never a number, JSON, or ending in a space: what the templates and the reference tokenizer
  // write differently.
  std::string Text() {
    static constexpr const char* kWords[] = {"Hello", "[INST]", "w\xC3\xB6rld", "</s>",
                                             "\n",    "{x}",    "\"q\"",        "\xE4\xB8\x96",
                                             "\\",    "it's",   "<&>"};
    std::string text = "t";
    for (int i = Number(1, 8); i > 0; --i) text += std::string(" ") + kWords[Number(0, 10)];
    return text + ".";
  }

  std::string Id() {
    std::string id;
    for (int i = 0; i < 9; ++i) id += static_cast<char>('a' + Number(0, 25));
    return id;
  }

  std::string Name() { return "tool_" + std::to_string(Number(0, 9)); }

  std::string Arguments() {
    std::string text = "{";
    for (int i = Number(0, 3); i > 0; --i) {
      text += "\"k" + std::to_string(i) +
              "\": " + (Chance(2) ? std::to_string(Number(-9, 99)) : "[true, null, \"\xC3\xA4\"]");
      if (i > 1) text += ", ";
    }
    return text + "}";
  }

  ToolDefinition Tool() {
    return testing::ToolOf(R"({"type": "function", "function": {"name": ")" + Name() +
                           R"(", "description": "d )" + std::to_string(Number(0, 9)) +
                           R"(", "parameters": {"type": "object", "properties": )" + Arguments() +
                           "}}}");
  }

  void AddExchange(Conversation& talk, bool last) {
    talk.messages.push_back(Say(Role::kUser, Text()));
    if (Chance(6)) talk.messages.push_back(Say(Role::kUser, Text()));
    if (published_.version != MistralVersion::kV1 && Chance(2)) {
      AddCalls(talk);
      if (last && Chance(2)) return;  // the model is to answer the results
    }
    if (last) return;
    Message answer = Say(Role::kAssistant, Text());
    if (published_.thinks && Chance(2)) answer.reasoning = Text();
    talk.messages.push_back(std::move(answer));
  }

  void AddCalls(Conversation& talk) {
    const bool both = published_.version >= MistralVersion::kV7 && Chance(2);
    Message calls = Say(Role::kAssistant, both ? Text() : "");
    calls.has_content = both;
    // One list of several results is the reference tokenizer's way in version 2, not the
    // template's.
    const int n = published_.version == MistralVersion::kV2 ? 1 : Number(1, 3);
    for (int i = 0; i < n; ++i) calls.tool_calls.push_back({Id(), Name(), Arguments()});
    talk.messages.push_back(calls);
    for (const ToolCall& call : calls.tool_calls) {
      talk.messages.push_back(testing::ResultOf(call.id, Text()));
    }
  }

  std::mt19937_64 random_;
  const Published& published_;
};

TEST(MistralTemplates, SayTheSameAsTheFormats) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const ByteTokenizer first({"<s>", "</s>"});
  const ByteTokenizer later({"<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]",
                             "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]",
                             "[TOOL_CALLS]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
                             "[TOOL_CONTENT]", "[ARGS]", "[CALL_ID]", "[THINK]", "[/THINK]",
                             "[MODEL_SETTINGS]", "[/MODEL_SETTINGS]"});
  using enum MistralVersion;
  const Published all[] = {{"v1", kV1},         {"v2", kV2},
                           {"v3", kV3},         {"v3_image", kV3},
                           {"v7", kV7},         {"v7_image", kV7},
                           {"v11", kV11},       {"v11_image", kV11},
                           {"v13", kV13},       {"v13_think", kV13, true},
                           {"v13_image", kV13}, {"v13_image_think", kV13, true},
                           {"v15", kV15},       {"v15_think", kV15, true},
                           {"v15_image", kV15}, {"v15_image_think", kV15, true}};
  for (const Published& published : all) {
    const ByteTokenizer& tokenizer = published.version == kV1 ? first : later;
    ChatSource source;
    source.templates["default"] =
        testing::ReadText(fixtures + "/mistral/chat_templates/" + published.name + ".jinja");
    source.special_tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
    const auto by_template = TemplateFormat::Create(tokenizer, source);
    ASSERT_TRUE(by_template) << by_template.error().message();
    const auto native = MistralFormat::Create(tokenizer, published.version);
    ASSERT_TRUE(native) << native.error().message();
    EXPECT_EQ(RecognizeMistral(tokenizer, source.templates["default"]), published.version);
    Generator generator(static_cast<uint64_t>(published.version), published);
    for (int i = 0; i < kConversations; ++i) {
      const Conversation talk = generator.Next();
      const auto wanted = by_template->Write(talk, 0);
      ASSERT_TRUE(wanted) << published.name << ": " << wanted.error().message();
      const auto got = native->Write(talk);
      ASSERT_TRUE(got) << published.name << ": " << got.error().message();
      ASSERT_EQ(ShowPrompt(tokenizer, *got), ShowPrompt(tokenizer, *wanted)) << published.name;
      // The same control tokens in the same places, though texts spell some of them.
      EXPECT_EQ(EncodePrompt(tokenizer, *got), EncodePrompt(tokenizer, *wanted)) << published.name;
    }
  }
}

}  // namespace
}  // namespace skerry::engine
