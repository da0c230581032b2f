#include "engine/tokenizer/spm_model.h"

#include <gtest/gtest.h>

#include <random>

#include "appliance/base/files.h"
#include "engine/tokenizer/spm_tokenizer.h"
#include "tests/engine/tokenizer/sizes.h"

namespace skerry::engine {
namespace {

std::string DemoModel() {
  auto files = OpenFiles(SKERRY_SOURCE_DIR "/installer/demo-model/model");
  return ReadAll(**files, "tokenizer.model").value();
}

std::string Field(int number, std::string_view bytes) {
  return std::string(1, static_cast<char>(number << 3 | 2)) +
         std::string(1, static_cast<char>(bytes.size())) + std::string(bytes);
}

// Two pieces of types 2 and 1, and a trainer specification with `trainer` in it.
std::string SmallModel(std::string_view trainer, std::string_view normalizer = "") {
  return Field(1, Field(1, "<unk>") + "\x18\x02") + Field(1, Field(1, "a")) + Field(2, trainer) +
         Field(3, normalizer);
}

TEST(SpmModel, ReadsTheDemoModel) {
  const Result<SpmModel> model = ParseSpmModel(DemoModel());
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ(model->pieces.size(), 1024u);
  EXPECT_EQ(model->pieces[3].text, "[INST]");
  EXPECT_EQ(model->pieces[3].type, PieceType::kControl);
  EXPECT_TRUE(model->byte_fallback);
  EXPECT_TRUE(model->add_dummy_prefix);
  EXPECT_FALSE(model->remove_extra_whitespaces);
  EXPECT_EQ(model->bos_id, 1);
  EXPECT_EQ(model->eos_id, 2);
}

TEST(SpmModel, RefusesOtherKindsByName) {
  const std::string ids(
      "\xC8\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"
      "\xD0\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01");  // bos, eos: -1
  const std::string trainer = std::string("\x18\x02", 2) + ids;
  ASSERT_TRUE(ParseSpmModel(SmallModel(trainer)));
  struct Case {
    std::string bytes;
    std::string_view expected;
  };
  const Case cases[] = {
      {SmallModel(std::string("\x18\x03", 2) + ids), "'word'"},
      {SmallModel(std::string("\x18\x04", 2) + ids), "'char'"},
      {SmallModel(trainer, Field(1, "nmt_nfkc")), "'nmt_nfkc'"},
      {SmallModel(trainer, Field(1, "identity") + Field(2, "x")), "'identity'"},
      {SmallModel(trainer + std::string("\xC0\x01\x01", 3)), "treat_whitespace_as_suffix"},
      {SmallModel(std::string("\x18\x02", 2)), "special id 2"},
      {Field(1, Field(1, "a")), "no trainer"},
      {Field(1, Field(1, "a") + "\x18\x09") + Field(2, trainer), "type 9"},
      {Field(1, Field(1, "a") + "\x18\x05") + Field(2, trainer), "unused"},
      {Field(1, Field(1, "\xFF")) + Field(2, trainer), "not text"},
      {"GGUF\x03", "SentencePiece model"},
      {"", "no trainer"},
  };
  for (const Case& c : cases) {
    const Result<SpmModel> model = ParseSpmModel(c.bytes);
    ASSERT_FALSE(model) << c.expected;
    EXPECT_NE(model.error().message().find(c.expected), std::string::npos)
        << model.error().message();
  }
}

TEST(SpmModel, Unigram) {
  const std::string ids(
      "\xC8\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"
      "\xD0\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01");  // bos, eos: -1
  const auto plain = ParseSpmModel(SmallModel(ids));        // the format's default
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->kind, SpmKind::kUnigram);
  EXPECT_EQ(plain->charsmap, "");
  const auto mapped = ParseSpmModel(SmallModel(ids, Field(1, "nmt_nfkc") + Field(2, "x")));
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->charsmap, "x");
  const auto bare = ParseSpmModel(SmallModel(ids, Field(1, "nmt_nfkc")));
  ASSERT_FALSE(bare);
  EXPECT_NE(bare.error().message().find("no table"), std::string::npos);
}

TEST(SpmModel, SurvivesEveryCutAndRandomDamage) {
  const std::string good = DemoModel();
  for (size_t length = 0; length < good.size(); length += 37 * testing::kReduction) {
    const Result<SpmModel> model = ParseSpmModel(std::string_view(good).substr(0, length));
    EXPECT_TRUE(!model || model->pieces.size() <= 1024u);
  }
  std::mt19937 random(1);
  for (int round = 0; round < testing::Rounds(150); ++round) {
    std::string bad = good;
    for (int i = 0; i < 4; ++i) bad[random() % bad.size()] = static_cast<char>(random());
    Result<SpmModel> model = ParseSpmModel(bad);
    if (!model || model->kind != SpmKind::kBpe) continue;
    const auto tokenizer = SpmTokenizer::Create(std::move(*model), true);
    if (tokenizer) (*tokenizer)->Encode("The quick brown fox, \xF0\x9F\xA6\x99");
  }
}

TEST(SpmModel, ByteNames) {
  EXPECT_EQ(BytePieceValue("<0x00>"), 0);
  EXPECT_EQ(BytePieceValue("<0xFF>"), 255);
  EXPECT_EQ(BytePieceValue("<0xff>"), -1);
  EXPECT_EQ(BytePieceValue("<0x0A"), -1);
}

}  // namespace
}  // namespace skerry::engine
