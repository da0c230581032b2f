#include "engine/tokenizer/tokenizer_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"
#include "engine/tokenizer/byte_level.h"
#include "engine/tokenizer/detokenizer.h"
#include "tests/engine/tokenizer/charsmap_builder.h"

namespace skerry::engine {
namespace {

// Byte-level BPE: all bytes, "th", "the" (id 257) and some added tokens.
Json BytePairs() {
  Json vocab;
  for (int byte = 0; byte < 256; ++byte) {
    vocab[EncodeByteLevel(std::string(1, static_cast<char>(byte)))] = byte;
  }
  vocab["th"] = 256;
  vocab["the"] = 257;
  const auto added = [](int id, const char* text, bool special) {
    return Json{{"id", id},        {"content", text},     {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", false}, {"special", special}};
  };
  return {
      {"version", "1.0"},
      {"added_tokens", {added(258, "<s>", true), added(259, "<think>", false)}},
      {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
      {"post_processor", nullptr},
      {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"t h", "th e"}}}}};
}

// BPE over characters with byte fallback, as Llama 2's and Gemma's.
Json CharacterPairs() {
  Json vocab = {{"<unk>", 0},
                {"<s>", 1},
                {"\xE2\x96\x81", 2},
                {"a", 3},
                {"b", 4},
                {"\xE2\x96\x81"
                 "a",
                 5},
                {"\n\n", 6},
                {"\n", 7},
                {"<table>", 8}};
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    snprintf(name, sizeof(name), "<0x%02X>", byte);
    vocab[name] = 9 + byte;
  }
  return {
      {"added_tokens",
       {{{"id", 0}, {"content", "<unk>"}, {"special", true}},
        {{"id", 1}, {"content", "<s>"}, {"special", true}},
        {{"id", 6}, {"content", "\n\n"}, {"special", false}},
        {{"id", 8}, {"content", "<table>"}, {"special", false}}}},
      {"normalizer",
       {{"type", "Sequence"},
        {"normalizers",
         {{{"type", "Prepend"}, {"prepend", "\xE2\x96\x81"}},
          {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\xE2\x96\x81"}}}}}},
      {"pre_tokenizer", nullptr},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single",
         {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
          {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
        {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {1}}, {"tokens", {"<s>"}}}}}}}},
      {"model",
       {{"type", "BPE"},
        {"unk_token", "<unk>"},
        {"fuse_unk", true},
        {"byte_fallback", true},
        {"vocab", vocab},
        {"merges", Json::array({Json::array({"\xE2\x96\x81", "a"})})}}}};
}

std::unique_ptr<Tokenizer> Make(const Json& file, const Json& config = Json::object()) {
  auto parts = ReadTokenizerJson(file, config);
  EXPECT_TRUE(parts) << parts.error().message();
  auto tokenizer = PipelineTokenizer::Create(std::move(*parts));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message();
  return std::move(*tokenizer);
}

std::string Message(const Json& file, const Json& config = Json::object()) {
  const auto parts = ReadTokenizerJson(file, config);
  return parts ? "read" : parts.error().message();
}

TEST(TokenizerJson, BytePairs) {
  const auto tokenizer = Make(BytePairs());
  EXPECT_EQ(tokenizer->Encode("the th t"), (std::vector<TokenId>{257, ' ', 256, ' ', 't'}));
  EXPECT_EQ(tokenizer->Encode("\xC3\xA4"), (std::vector<TokenId>{0xC3, 0xA4}));
  EXPECT_EQ(tokenizer->Encode("<s>").size(), 3u);
  EXPECT_EQ(EncodeWithControl(*tokenizer, "<s><think>the"), (std::vector<TokenId>{258, 259, 257}));
  EXPECT_EQ(tokenizer->vocab_size(), 260);
  EXPECT_FALSE(tokenizer->add_bos());
  EXPECT_FALSE(tokenizer->IsControl(259));
  EXPECT_EQ(Decode(*tokenizer, {258, 257, 0xC3, 0xA4, 259}, false), "the\xC3\xA4<think>");
}

TEST(TokenizerJson, CharacterPairs) {
  const auto tokenizer = Make(CharacterPairs());
  EXPECT_EQ(tokenizer->Encode("a ab"), (std::vector<TokenId>{5, 5, 4}));
  EXPECT_EQ(tokenizer->Encode("\xC3\xA4"), (std::vector<TokenId>{2, 9 + 0xC3, 9 + 0xA4}));
  // White space and HTML tags among the model's own are text; "<s>" is not.
  EXPECT_EQ(tokenizer->Encode("a\n\na"), (std::vector<TokenId>{5, 6, 5}));
  EXPECT_EQ(tokenizer->Encode("<table>"), std::vector<TokenId>{8});
  for (const TokenId id : tokenizer->Encode("<s><unk>")) EXPECT_GE(id, 2);
  EXPECT_EQ(EncodeWithControl(*tokenizer, "a"), (std::vector<TokenId>{1, 5}));
  EXPECT_TRUE(tokenizer->adds_leading_space());
  EXPECT_EQ(Decode(*tokenizer, {1, 5, 5, 4}, true), "a ab");
}

TEST(TokenizerJson, WhatTheConfigurationSays) {
  const Json config = {{"bos_token", {{"content", "<s>"}}},
                       {"eos_token", "<|end|>"},
                       {"add_bos_token", true},
                       {"added_tokens_decoder",
                        {{"258", {{"content", "<s>"}, {"special", true}}},
                         {"260", {{"content", "<|end|>"}, {"special", false}, {"rstrip", true}}}}}};
  const auto tokenizer = Make(BytePairs(), config);
  EXPECT_EQ(tokenizer->bos(), 258);
  EXPECT_EQ(tokenizer->eos(), 260);
  EXPECT_TRUE(tokenizer->add_bos());
  EXPECT_TRUE(tokenizer->IsControl(260));  // the end token is one, whatever the flag says
  EXPECT_EQ(EncodeWithControl(*tokenizer, "t<|end|> t"),
            (std::vector<TokenId>{258, 't', 260, 't'}));
  EXPECT_FALSE(Make(CharacterPairs(), {{"add_bos_token", false}})->add_bos());
  EXPECT_EQ(Make(CharacterPairs(), {{"add_bos_token", false}})->bos(), 1);
  EXPECT_NE(Message(BytePairs(), {{"added_tokens_decoder", {{"x", Json::object()}}}}).find("'x'"),
            std::string::npos);
  EXPECT_NE(Message(BytePairs(), {{"added_tokens_decoder", {{"257", {{"content", "<z>"}}}}}})
                .find("'the' and '<z>'"),
            std::string::npos);
}

TEST(TokenizerJson, WordPiece) {
  Json file = {
      {"normalizer", {{"type", "BertNormalizer"}, {"lowercase", true}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor",
       {{"type", "BertProcessing"}, {"sep", {"[SEP]", 2}}, {"cls", {"[CLS]", 1}}}},
      {"model",
       {{"type", "WordPiece"},
        {"unk_token", "[UNK]"},
        {"vocab",
         {{"[UNK]", 0}, {"[CLS]", 1}, {"[SEP]", 2}, {"un", 3}, {"##able", 4}, {",", 5}}}}}};
  const auto tokenizer = Make(file);
  EXPECT_EQ(tokenizer->Encode("Unable, x"), (std::vector<TokenId>{3, 4, 5, 0}));
  EXPECT_EQ(EncodeWithControl(*tokenizer, "un"), (std::vector<TokenId>{1, 3, 2}));
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_EQ(tokenizer->eos(), 2);
  file["model"]["unk_token"] = "[X]";
  EXPECT_NE(Message(file).find("[X]"), std::string::npos);
}

TEST(TokenizerJson, Unigram) {
  const std::string map = testing::BuildCharsMap({{"\xEF\xAC\x81", "fi"}});
  const std::vector<uint8_t> bytes(map.begin(), map.end());
  Json file = {
      {"normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", Base64Encode(bytes)}}},
      {"pre_tokenizer",
       {{"type", "Metaspace"}, {"replacement", "\xE2\x96\x81"}, {"prepend_scheme", "always"}}},
      {"model",
       {{"type", "Unigram"},
        {"unk_id", 0},
        {"vocab", Json::array({Json::array({"<unk>", 0.0}), Json::array({"\xE2\x96\x81", -3}),
                               Json::array({"fi", -2.5}),
                               Json::array({"\xE2\x96\x81"
                                            "fi",
                                            -4})})}}}};
  const auto tokenizer = Make(file);
  EXPECT_EQ(tokenizer->Encode("\xEF\xAC\x81 fififi"), (std::vector<TokenId>{3, 3, 2, 2}));
  EXPECT_EQ(tokenizer->Encode("fixx"), (std::vector<TokenId>{3, 0}));
  file["model"]["unk_id"] = 7;
  EXPECT_NE(Message(file).find("unk_id"), std::string::npos);
}

TEST(TokenizerJson, StagesBehindByteLevelSeeItsCharacters) {
  Json file = BytePairs();
  file["pre_tokenizer"] = {{"type", "Sequence"},
                           {"pretokenizers",
                            {{{"type", "Punctuation"}, {"behavior", "Contiguous"}},
                             {{"type", "ByteLevel"}, {"add_prefix_space", false}},
                             {{"type", "Digits"}, {"individual_digits", true}}}}};
  // The byte B2 is spelled U+00B2, a digit; the text has none.
  file["model"]["vocab"][EncodeByteLevel("\xC2\xB2")] = 260;
  file["model"]["merges"].push_back(EncodeByteLevel("\xC2") + " " + EncodeByteLevel("\xB2"));
  EXPECT_EQ(Make(file)->Encode("\xC2\xB2"), (std::vector<TokenId>{0xC2, 0xB2}));
  EXPECT_EQ(Make(file)->Encode("the12"), (std::vector<TokenId>{257, '1', '2'}));
}

TEST(TokenizerJson, WhatIsNotUnderstoodIsNamed) {
  const auto with = [](const char* key, Json value) {
    Json file = BytePairs();
    file[key] = std::move(value);
    return Message(file);
  };
  const auto with_model = [](const char* key, Json value) {
    Json file = BytePairs();
    file["model"][key] = std::move(value);
    return Message(file);
  };
  const std::pair<std::string, std::string_view> cases[] = {
      {Message(Json::array()), "object"},
      {with("normalizer", {{"type", "Nmt"}}), "normalizer: the normalizer 'Nmt'"},
      {with("normalizer", {{"type", "NFC"}, {"x", 1}}), "'x'"},
      {with("normalizer", {{"kind", 1}}), "'type'"},
      {with("normalizer", {{"type", "Sequence"}}), "'normalizers'"},
      {with("normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", "?"}}), "base64"},
      {with("normalizer", {{"type", "Replace"}, {"pattern", {{"Regex", "("}}}, {"content", ""}}),
       "( without )"},
      {with("pre_tokenizer", {{"type", "UnicodeScripts"}}), "'UnicodeScripts'"},
      {with("pre_tokenizer",
            {{"type", "Split"}, {"pattern", {{"String", "x"}}}, {"behavior", "Odd"}}),
       "'Odd'"},
      {with("pre_tokenizer",
            {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "odd"}}),
       "'odd'"},
      {with("post_processor", {{"type", "Odd"}}), "'Odd'"},
      {with("post_processor", {{"type", "TemplateProcessing"},
                               {"single", {{{"SpecialToken", {{"id", "<x>"}}}}}},
                               {"special_tokens", Json::object()}}),
       "'<x>'"},
      {with("model", nullptr), "model"},
      {with_model("type", "WordLevel"), "'WordLevel'"},
      {with_model("dropout", 0.1), "'dropout'"},
      {with_model("end_of_word_suffix", "</w>"), "'end_of_word_suffix'"},
      {with_model("odd", 1), "'odd'"},
      {with_model("vocab", Json::object()), "'vocab'"},
      {with_model("vocab", {{"a", 0}, {"b", 0}}), "one id"},
      {with_model("vocab", {{"a", 1 << 24}}), "'a'"},
      {with_model("merges", {"a"}), "two texts"},
      {with_model("merges", {"th th"}), "not in the vocabulary"},
      {with_model("unk_token", "<none>"), "unk_token"},
      {with("added_tokens", {{{"id", 3}, {"content", "<x>"}}}), "token 3"},
      {with("added_tokens", {{{"id", -1}, {"content", "<x>"}}}), "-1"},
      {with("added_tokens", {{{"id", 258}}}), "'content'"},
  };
  for (const auto& [message, expected] : cases) {
    EXPECT_NE(message.find(expected), std::string::npos) << expected << " in: " << message;
  }
}

}  // namespace
}  // namespace skerry::engine
