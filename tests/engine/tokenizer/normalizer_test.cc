#include "engine/tokenizer/normalizer.h"

#include <gtest/gtest.h>

#include "tests/engine/tokenizer/charsmap_builder.h"

namespace skerry::engine {
namespace {

TEST(Normalizer, NormalForms) {
  EXPECT_EQ(NormalFormNormalizer(unicode::NormalForm::kNfc).Normalize("e\xCC\x81"), "\xC3\xA9");
  EXPECT_EQ(NormalFormNormalizer(unicode::NormalForm::kNfkd).Normalize("\xEF\xAC\x81"), "fi");
  EXPECT_EQ(NormalFormNormalizer(unicode::NormalForm::kNfc).LeastBytes(9), 3u);
  EXPECT_EQ(NormalFormNormalizer(unicode::NormalForm::kNfkc).LeastBytes(9), 0u);
}

TEST(Normalizer, SimpleOnes) {
  EXPECT_EQ(LowercaseNormalizer().Normalize("A\xC3\x84z"), "a\xC3\xA4z");
  const ReplaceNormalizer spaces(*Regex::CreateLiteral(" "), 1, "\xE2\x96\x81");
  EXPECT_EQ(spaces.Normalize(" a b"),
            "\xE2\x96\x81"
            "a\xE2\x96\x81"
            "b");
  EXPECT_EQ(spaces.LeastBytes(5), 5u);
  EXPECT_EQ(ReplaceNormalizer(*Regex::Create(" {2,}"), 0, " ").Normalize("a   b c"), "a b c");
  EXPECT_EQ(PrependNormalizer("_").Normalize("a"), "_a");
  EXPECT_EQ(PrependNormalizer("_").Normalize(""), "");
  EXPECT_EQ(StripNormalizer(true, true).Normalize("\xE3\x80\x80 a b\n"), "a b");
  EXPECT_EQ(StripNormalizer(true, false).Normalize(" a "), "a ");
  EXPECT_EQ(StripNormalizer(false, true).Normalize(" a "), " a");
  EXPECT_EQ(StripNormalizer(true, true).Normalize("  "), "");
  EXPECT_EQ(StripAccentsNormalizer().Normalize("e\xCC\x81x"), "ex");
  EXPECT_EQ(CollapseSpacesNormalizer().Normalize("  a   b "), "a b");
  EXPECT_EQ(CollapseSpacesNormalizer().Normalize("   "), "");
}

TEST(Normalizer, Bert) {
  const BertNormalizer all({});
  EXPECT_EQ(all.Normalize("H\xC3\xA9llo\tW\xC3\x96RLD"), "hello world");
  EXPECT_EQ(all.Normalize(std::string_view("a\0\x01\xEF\xBF\xBD\xE2\x80\x8B"
                                           "b",
                                           10)),
            "ab");
  EXPECT_EQ(all.Normalize("x\xE4\xB8\xADy"), "x \xE4\xB8\xAD y");
  BertNormalizerOptions options;
  options.lowercase = options.strip_accents = options.handle_chinese_chars = false;
  EXPECT_EQ(BertNormalizer(options).Normalize("H\xC3\xA9\xE4\xB8\xAD\n"), "H\xC3\xA9\xE4\xB8\xAD ");
  options.clean_text = false;
  EXPECT_EQ(BertNormalizer(options).Normalize("a\n\x01"), "a\n\x01");
}

TEST(Normalizer, CharsMaps) {
  const std::string bytes = testing::BuildCharsMap(
      {{"A", "a"}, {"a\xCC\x88", "\xC3\xA4"}, {"\xE3\x80\x80", " "}, {"ff", "F"}, {"f", "f"}});
  const auto make = [&](bool longest) {
    return CharsMapNormalizer(*CharsMap::Parse(bytes), longest);
  };
  // By characters with their marks: no match reaches from one to the next.
  EXPECT_EQ(make(false).Normalize("Aa\xCC\x88\xE3\x80\x80x"), "a\xC3\xA4 x");
  EXPECT_EQ(make(false).Normalize("ff"), "ff");
  EXPECT_EQ(make(true).Normalize("fff"), "Ff");
  EXPECT_EQ(make(true).Normalize("Aa\xCC\x88\xCC\x88"), "a\xC3\xA4\xCC\x88");
  // Six bytes and more go character by character.
  EXPECT_EQ(make(false).Normalize("A\xCC\x88\xCC\x88\xCC\x88"), "a\xCC\x88\xCC\x88\xCC\x88");
}

TEST(Normalizer, Sequences) {
  std::vector<std::unique_ptr<Normalizer>> parts;
  parts.push_back(std::make_unique<LowercaseNormalizer>());
  parts.push_back(std::make_unique<PrependNormalizer>("A"));
  const NormalizerSequence sequence(std::move(parts));
  EXPECT_EQ(sequence.Normalize("B"), "Ab");
  EXPECT_EQ(sequence.LeastBytes(10), 0u);
  EXPECT_EQ(NormalizerSequence({}).Normalize("x"), "x");
  EXPECT_EQ(NormalizerSequence({}).LeastBytes(10), 10u);
}

}  // namespace
}  // namespace skerry::engine
