#include "bundler/inspect/templates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "appliance/base/encode.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/testing/memory_files.h"
#include "tests/bundler/small_model.h"

namespace skerry::inspect {
namespace {

using skerry::testing::GgufParts;
using skerry::testing::GgufText;
using skerry::testing::LittleEndian;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using Content = std::map<std::string, std::string>;
using Texts = std::vector<std::pair<std::string, std::string>>;

Result<std::vector<ChatTemplate>> Read(const Content& content) {
  skerry::testing::MemoryFiles files;
  ModelFiles model;
  for (const auto& [name, text] : content) {
    EXPECT_TRUE(MakeDirectories(files, ParentDirectory(name)));
    EXPECT_TRUE(files.Create(name, 0600).value()->Append(AsBytes(text)));
    model.names.push_back(name);
  }
  model.open = [&](const std::string& name) { return files.OpenRead(name); };
  return ReadTemplates(model);
}

Texts Of(const Content& content) {
  Texts texts;
  const auto list = Read(content);
  EXPECT_TRUE(list) << list.error().message();
  for (const ChatTemplate& item : *list) {
    EXPECT_EQ(item.sha256, Sha256::Of(item.text));
    texts.emplace_back(item.name, item.text);
  }
  return texts;
}

std::string Refusal(const Content& content, ErrorCode code) {
  const auto list = Read(content);
  if (list) return "accepted";
  EXPECT_EQ(list.error().code(), code) << list.error().message();
  return list.error().message();
}

std::string Gguf(const std::vector<std::pair<std::string, std::string>>& strings) {
  GgufParts parts;
  for (const auto& [key, text] : strings) {
    parts.keys.push_back({key, LittleEndian(8, 4) + GgufText(text)});
  }
  return parts.Build();
}

TEST(TemplatesTest, ModelsWithoutOne) {
  EXPECT_EQ(Of({}), Texts());
  EXPECT_EQ(Of({{"tokenizer_config.json", "{\"chat_template\":null}"}}), Texts());
  EXPECT_EQ(Of({{"tokenizer_config.json", "[]"}, {"a/b.jinja", "not at the top"}}), Texts());
  EXPECT_EQ(Of({{"x.gguf", GgufParts().Build()}}), Texts());
}

TEST(TemplatesTest, FromEveryPlace) {
  EXPECT_THAT(Of({{"chat_template.jinja", "A"}, {"additional_chat_templates/tool_use.jinja", "B"}}),
              ElementsAre(Pair("default", "A"), Pair("tool_use", "B")));
  EXPECT_THAT(Of({{"chat_template.json", "{\"chat_template\":\"A\"}"}, {"extra.jinja", "E"}}),
              ElementsAre(Pair("default", "A"), Pair("extra", "E")));
  EXPECT_THAT(Of({{"tokenizer_config.json",
                   R"({"chat_template":[{"name":"rag","template":"R"},
                       {"name":"default","template":"D"}]})"}}),
              ElementsAre(Pair("default", "D"), Pair("rag", "R")));
  EXPECT_THAT(Of({{"tokenizer_config.json", R"({"chat_template":{"rag":"R"}})"}}),
              ElementsAre(Pair("rag", "R")));
  EXPECT_THAT(Of({{"x.gguf", Gguf({{"tokenizer.chat_template.tool_use", "T"},
                                   {"tokenizer.chat_template", "D"},
                                   {"tokenizer.chat_templates", "no template"}})}}),
              ElementsAre(Pair("default", "D"), Pair("tool_use", "T")));
}

TEST(TemplatesTest, WhatIsShadowedIsListedToo) {
  EXPECT_THAT(
      Of({{"chat_template.jinja", "A"}, {"tokenizer_config.json", "{\"chat_template\":\"A\"}"}}),
      ElementsAre(Pair("default", "A")))
      << "the same text twice is one template";
  EXPECT_THAT(
      Of({{"additional_chat_templates/default.jinja", "F"},
          {"chat_template.jinja", "A"},
          {"default.jinja", "G"},
          {"tokenizer_config.json", "{\"chat_template\":\"B\"}"}}),
      ElementsAre(Pair("default", "A"),
                  Pair("default@additional_chat_templates/default.jinja", "F"),
                  Pair("default@default.jinja", "G"), Pair("default@tokenizer_config.json", "B")));
  EXPECT_THAT(Of({{"a.gguf", Gguf({{"tokenizer.chat_template", "A"}})},
                  {"b.gguf", Gguf({{"tokenizer.chat_template", "B"}})}}),
              ElementsAre(Pair("default", "A"), Pair("default@b.gguf", "B")));
}

TEST(TemplatesTest, RefusalsNameTheFile) {
  EXPECT_THAT(Refusal({{"chat_template.json", "{"}}, ErrorCode::kCorrupt),
              HasSubstr("'chat_template.json'"));
  EXPECT_THAT(Refusal({{"tokenizer_config.json", "{\"chat_template\":1}"}}, ErrorCode::kCorrupt),
              HasSubstr("file 'tokenizer_config.json': 'chat_template' must be"));
  EXPECT_THAT(Refusal({{"tokenizer_config.json", "{\"chat_template\":[{\"name\":\"a\"}]}"}},
                      ErrorCode::kCorrupt),
              HasSubstr("'template'"));
  EXPECT_THAT(Refusal({{"tokenizer_config.json", "{\"chat_template\":{\"\\u001b\":\"x\"}}"}},
                      ErrorCode::kCorrupt),
              HasSubstr("chat template '?'"));
  EXPECT_THAT(Refusal({{"tokenizer_config.json",
                        R"({"chat_template":[{"name":"a","template":"1"},
                            {"name":"a","template":"2"},{"name":"a","template":"3"}]})"}},
                      ErrorCode::kCorrupt),
              HasSubstr("occurs twice"));
  GgufParts number;
  number.keys.push_back({"tokenizer.chat_template", LittleEndian(4, 4) + LittleEndian(1, 4)});
  EXPECT_THAT(Refusal({{"m.gguf", number.Build()}}, ErrorCode::kCorrupt),
              HasSubstr("file 'm.gguf': key 'tokenizer.chat_template': "));
}

TEST(TemplatesTest, SizesAndNumbersAreBounded) {
  const std::string most(kMaxTemplateBytes, 'x');
  EXPECT_EQ(Of({{"chat_template.jinja", most}}).size(), 1u);
  EXPECT_THAT(Refusal({{"chat_template.jinja", most + "x"}}, ErrorCode::kExhausted),
              HasSubstr("'chat_template.jinja'"));
  EXPECT_THAT(Refusal({{"tokenizer_config.json", "{\"chat_template\":\"" + most + "x\"}"}},
                      ErrorCode::kExhausted),
              HasSubstr("longer than 1 MiB"));
  EXPECT_THAT(
      Refusal({{"m.gguf", Gguf({{"tokenizer.chat_template", most + "x"}})}}, ErrorCode::kCorrupt),
      HasSubstr("1048577 bytes"));
  Content many;
  for (size_t i = 0; i <= kMaxTemplates; ++i) many["t" + std::to_string(i) + ".jinja"] = "x";
  EXPECT_THAT(Refusal(many, ErrorCode::kExhausted), HasSubstr("more than 32"));
}

TEST(TemplatesTest, ChangesAreDescribed) {
  const auto before = Read({{"chat_template.jinja", "a\nb\n"}, {"old.jinja", "x"}}).value();
  const auto after = Read({{"chat_template.jinja", "a\nc\x1b\n"}, {"more.jinja", "y\n"}}).value();
  EXPECT_EQ(DescribeTemplateChanges(before, before), "");
  const std::string text = DescribeTemplateChanges(before, after);
  EXPECT_THAT(text, HasSubstr("chat template 'default' changed\n--- before/default\n"));
  EXPECT_THAT(text, HasSubstr("-b\n+c\\u{1b}\n"));
  EXPECT_THAT(text, HasSubstr("chat template 'old' is gone\n"));
  EXPECT_THAT(text, HasSubstr("chat template 'more' is new\n"));
  EXPECT_THAT(text, HasSubstr("+y\n"));
}

TEST(TemplatesTest, ListsAreComparedByName) {
  const auto before =
      Read({{"chat_template.jinja", "a"}, {"old.jinja", "x"}, {"same.jinja", "s"}}).value();
  const auto after =
      Read({{"chat_template.jinja", "b"}, {"more.jinja", "y"}, {"same.jinja", "s"}}).value();
  Texts changes;
  for (const ComparedTemplate& item : CompareTemplates(before, after)) {
    changes.emplace_back(item.name, TemplateChangeName(item.change));
    const bool gone = item.change == TemplateChange::kGone;
    EXPECT_EQ(item.sha256 == Sha256::Of(std::string_view("x")), gone) << item.name;
  }
  EXPECT_THAT(changes, ElementsAre(Pair("default", "changed"), Pair("more", "new"),
                                   Pair("old", "gone"), Pair("same", "same")));
}

TEST(TemplatesTest, ALongDescriptionIsCutBehindALine) {
  Content many;
  for (int i = 0; i < 4; ++i) {
    std::string& text = many["t" + std::to_string(i) + ".jinja"];
    for (int line = 0; line < 1500; ++line) {
      text += std::to_string(line) + std::string(100, 'x') + "\n";
    }
  }
  const std::string text = DescribeTemplateChanges({}, Read(many).value());
  EXPECT_LE(text.size(), kMaxChangesBytes + 100);
  EXPECT_GT(text.size(), kMaxChangesBytes - 200);
  EXPECT_THAT(text, ::testing::EndsWith("x\n\\ the rest is not shown: too much has changed\n"));
}

TEST(TemplatesTest, RealTemplates) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const auto folder = OpenFiles(fixtures + "/templates").value();
  std::vector<ChatTemplate> previous;
  int checked = 0;
  const auto entries = folder->List(".").value();
  for (const DirectoryEntry& entry : entries) {
    if (!entry.name.ends_with(".jinja")) continue;
    const ModelFiles model{{"chat_template.jinja"},
                           [&](const std::string&) { return folder->OpenRead(entry.name); }};
    const auto list = ReadTemplates(model);
    ASSERT_TRUE(list) << entry.name << ": " << list.error().message();
    ASSERT_EQ(list->size(), 1u) << entry.name;
    const std::string changes = DescribeTemplateChanges(previous, *list);
    EXPECT_THAT(changes, ::testing::Not(HasSubstr("too different"))) << entry.name;
    previous = *list;
    ++checked;
  }
  EXPECT_GE(checked, 20);
}

}  // namespace
}  // namespace skerry::inspect
