#include "engine/chat/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "appliance/base/testing/fixtures.h"

namespace skerry::engine {
namespace {

using ::testing::HasSubstr;

constexpr const char* kDemo = SKERRY_SOURCE_DIR "/installer/demo-model";

class Checkpoint {
 public:
  void Write(const std::string& name, std::string_view text) {
    const std::filesystem::path path = directory_.path() + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  Result<ChatSource> Load(std::string_view mistral_version = "") {
    return LoadChatSource(directory_.path(), mistral_version);
  }

 private:
  ::skerry::testing::TemporaryDirectory directory_;
};

TEST(ChatSource, OneTemplateAndTokensAsStringsOrObjects) {
  Checkpoint checkpoint;
  checkpoint.Write("config.json", "{}");
  checkpoint.Write("tokenizer_config.json",
                   R"({"chat_template":"T","bos_token":"<s>","eos_token":{"content":"</s>"},
                       "unk_token":null})");
  checkpoint.Write("special_tokens_map.json", R"({"eos_token":"other","pad_token":"<p>"})");
  const auto source = checkpoint.Load();
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ(source->templates, (std::map<std::string, std::string>{{"default", "T"}}));
  EXPECT_EQ(source->special_tokens,
            (std::map<std::string, std::string>{
                {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"pad_token", "<p>"}}));
  EXPECT_FALSE(source->mistral);
}

TEST(ChatSource, NamedTemplatesAndFilesOfTheirOwn) {
  Checkpoint checkpoint;
  checkpoint.Write("config.json", "{}");
  checkpoint.Write("tokenizer_config.json",
                   R"({"chat_template":[{"name":"default","template":"A"},
                                        {"name":"tool_use","template":"B"}]})");
  EXPECT_EQ(checkpoint.Load()->templates,
            (std::map<std::string, std::string>{{"default", "A"}, {"tool_use", "B"}}));
  checkpoint.Write("chat_template.json", R"({"chat_template":"C"})");
  EXPECT_EQ(checkpoint.Load()->templates["default"], "C");
  checkpoint.Write("chat_template.jinja", "D");
  checkpoint.Write("additional_chat_templates/rag.jinja", "E");
  checkpoint.Write("additional_chat_templates/README", "x");
  EXPECT_EQ(checkpoint.Load()->templates, (std::map<std::string, std::string>{
                                              {"default", "D"}, {"rag", "E"}, {"tool_use", "B"}}));
}

TEST(ChatSource, NothingIsNoError) {
  Checkpoint checkpoint;
  checkpoint.Write("config.json", "{}");
  const auto source = checkpoint.Load();
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_TRUE(source->templates.empty());
}

TEST(ChatSource, MistralsVersion) {
  Checkpoint checkpoint;
  checkpoint.Write("params.json", "{}");
  checkpoint.Write("tokenizer.model", "");
  EXPECT_EQ(checkpoint.Load()->mistral, MistralVersion::kV1);
  EXPECT_EQ(checkpoint.Load("v7m1")->mistral, MistralVersion::kV7);
  const auto unknown = checkpoint.Load("v4");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message(), HasSubstr("version 'v4'"));
  checkpoint.Write("tokenizer.json", "{}");
  EXPECT_EQ(checkpoint.Load()->mistral, std::nullopt);
}

TEST(ChatSource, DamagedFilesAreNamed) {
  struct Case {
    const char* file;
    const char* text;
    const char* wanted;
  };
  const Case cases[] = {
      {"tokenizer_config.json", "{", "tokenizer_config.json"},
      {"tokenizer_config.json", R"({"chat_template":[{"name":"x"}]})", "template"},
  };
  for (const Case& c : cases) {
    Checkpoint checkpoint;
    checkpoint.Write("config.json", "{}");
    checkpoint.Write(c.file, c.text);
    const auto source = checkpoint.Load();
    ASSERT_FALSE(source) << c.file;
    EXPECT_THAT(source.error().message(), HasSubstr(c.wanted));
  }
}

TEST(ChatSource, TheDemoModelHasOneTemplate) {
  const auto source = LoadChatSource(std::string(kDemo) + "/model", "");
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ(source->templates.size(), 1u);
  EXPECT_EQ(source->special_tokens.at("bos_token"), "<s>");
  EXPECT_FALSE(source->mistral);
}

TEST(ChatSource, GgufMetadata) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const auto source = LoadChatSource(fixtures + "/stories260k/stories260k-f32.gguf", "");
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_TRUE(source->templates.empty());
  EXPECT_EQ(source->special_tokens.at("bos_token"), "<s>");
  const auto v3 = LoadChatSource(
      fixtures + "/mistral/tokenizers/mistral_instruct_tokenizer_240323.model.v3", "v3");
  ASSERT_TRUE(v3) << v3.error().message();
  EXPECT_EQ(v3->mistral, MistralVersion::kV3);
}

TEST(MistralVersion, Names) {
  for (const auto& [name, number] : {std::pair{"v1", 1},
                                     {"v2", 2},
                                     {"v3", 3},
                                     {"v7", 7},
                                     {"v7m1", 7},
                                     {"v11", 11},
                                     {"v15", 15}}) {
    const auto version = ParseMistralVersion(name);
    ASSERT_TRUE(version) << name;
    EXPECT_EQ(static_cast<int>(*version), number);
  }
  for (const char* name : {"", "v", "7", "v4", "v3x", "v-3", "V3", "v77"}) {
    EXPECT_FALSE(ParseMistralVersion(name)) << name;
  }
}

}  // namespace
}  // namespace skerry::engine
