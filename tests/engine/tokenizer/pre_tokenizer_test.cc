#include "engine/tokenizer/pre_tokenizer.h"

#include <gtest/gtest.h>

namespace skerry::engine {
namespace {

std::string Split(const PreTokenizer& pre, std::string_view text, bool first = true) {
  std::string out;
  pre.Split({text, first}, [&](const Piece& piece) {
    if (!out.empty()) out += "|";
    out += std::string(piece.text) + (piece.first ? "^" : "");
  });
  return out;
}

std::string SplitAt(std::string_view pattern, SplitBehavior behavior, bool invert,
                    std::string_view text) {
  return Split(SplitPreTokenizer(*Regex::Create(pattern), behavior, invert), text, false);
}

// The examples of Hugging Face's documentation of the behaviors: "the-final--countdown".
TEST(PreTokenizer, Behaviors) {
  const std::string_view text = "the-final--countdown";
  EXPECT_EQ(SplitAt("-", SplitBehavior::kRemoved, false, text), "the|final|countdown");
  EXPECT_EQ(SplitAt("-", SplitBehavior::kIsolated, false, text), "the|-|final|-|-|countdown");
  EXPECT_EQ(SplitAt("-", SplitBehavior::kMergedWithPrevious, false, text),
            "the-|final-|-|countdown");
  EXPECT_EQ(SplitAt("-", SplitBehavior::kMergedWithNext, false, text), "the|-final|-|-countdown");
  EXPECT_EQ(SplitAt("-", SplitBehavior::kContiguous, false, text), "the|-|final|--|countdown");
}

TEST(PreTokenizer, InvertedAndAtTheEnds) {
  EXPECT_EQ(SplitAt("\\w+", SplitBehavior::kRemoved, true, "a bc!"), "a|bc");
  EXPECT_EQ(SplitAt("-", SplitBehavior::kMergedWithPrevious, false, "-a-"), "-|a-");
  EXPECT_EQ(SplitAt("-", SplitBehavior::kMergedWithNext, false, "-a-"), "-a|-");
  EXPECT_EQ(SplitAt("-", SplitBehavior::kRemoved, false, "--"), "");
  EXPECT_EQ(SplitAt("-", SplitBehavior::kContiguous, false, ""), "");
  EXPECT_EQ(SplitAt("x", SplitBehavior::kIsolated, false, "abc"), "abc");
  EXPECT_EQ(Split(SplitPreTokenizer(*Regex::Create("b"), SplitBehavior::kIsolated, false), "abc"),
            "a^|b|c");
  EXPECT_FALSE(SplitPreTokenizer(*Regex::Create("b"), SplitBehavior::kRemoved, false).KeepsAll());
}

TEST(PreTokenizer, Metaspace) {
  const auto split = [](PrefixScheme scheme, bool words, std::string_view text, bool first) {
    const auto made = MetaspacePreTokenizer::Create("_", scheme, words);
    return Split(**made, text, first);
  };
  EXPECT_EQ(split(PrefixScheme::kAlways, true, "a b  c", true), "_a^|_b|_|_c");
  EXPECT_EQ(split(PrefixScheme::kAlways, true, " a", false), "_a");
  EXPECT_EQ(split(PrefixScheme::kAlways, true, "_a", false), "_a");
  EXPECT_EQ(split(PrefixScheme::kFirst, true, "a b", true), "_a^|_b");
  EXPECT_EQ(split(PrefixScheme::kFirst, true, "a b", false), "a|_b");
  EXPECT_EQ(split(PrefixScheme::kNever, true, "a b ", true), "a^|_b|_");
  EXPECT_EQ(split(PrefixScheme::kAlways, false, "a b", true), "_a_b^");
  EXPECT_FALSE(MetaspacePreTokenizer::Create("", PrefixScheme::kAlways, true));
}

TEST(PreTokenizer, PrefixSpaceAndByteLevel) {
  EXPECT_EQ(Split(PrefixSpacePreTokenizer(), "a"), " a^");
  EXPECT_EQ(Split(PrefixSpacePreTokenizer(), " a"), " a^");
  EXPECT_EQ(Split(ByteLevelPreTokenizer(), " a"),
            "\xC4\xA0"
            "a^");
}

TEST(PreTokenizer, SequencesCutWhatIsLeft) {
  std::vector<std::unique_ptr<PreTokenizer>> parts;
  parts.push_back(
      std::make_unique<SplitPreTokenizer>(*Regex::Create("\\s"), SplitBehavior::kRemoved, false));
  parts.push_back(std::make_unique<SplitPreTokenizer>(*Regex::Create(kPunctuationPattern),
                                                      SplitBehavior::kIsolated, false));
  const PreTokenizerSequence sequence(std::move(parts));
  EXPECT_EQ(Split(sequence, "Hi, you~ \xE3\x80\x82"), "Hi^|,|you|~|\xE3\x80\x82");
  EXPECT_FALSE(sequence.KeepsAll());
}

TEST(PreTokenizer, Gpt2Pattern) {
  EXPECT_EQ(SplitAt(kGpt2Pattern, SplitBehavior::kIsolated, false, "Hello,  I'm 42!\n\nyes"),
            "Hello|,| | I|'m| 42|!|\n|\n|yes");
}

}  // namespace
}  // namespace skerry::engine
