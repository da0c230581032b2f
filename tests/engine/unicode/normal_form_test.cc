#include "engine/unicode/normal_form.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "engine/unicode/category.h"
#include "engine/unicode/code_points.h"

namespace skerry::engine::unicode {
namespace {

std::string Utf8(std::initializer_list<uint32_t> chars) {
  std::string out;
  for (const uint32_t c : chars) AppendCodePoint(c, out);
  return out;
}

// Rows of the Unicode Standard's NormalizationTest.txt: source, NFC, NFD, NFKC, NFKD.
TEST(NormalForm, RowsOfTheStandardsTest) {
  struct Row {
    std::string source, nfc, nfd, nfkc, nfkd;
  };
  const Row rows[] = {
      {Utf8({0x1E0A}), Utf8({0x1E0A}), Utf8({0x44, 0x307}), Utf8({0x1E0A}), Utf8({0x44, 0x307})},
      {Utf8({0x1E0A, 0x323}), Utf8({0x1E0C, 0x307}), Utf8({0x44, 0x323, 0x307}),
       Utf8({0x1E0C, 0x307}), Utf8({0x44, 0x323, 0x307})},
      {Utf8({0x212B}), Utf8({0xC5}), Utf8({0x41, 0x30A}), Utf8({0xC5}), Utf8({0x41, 0x30A})},
      {Utf8({0x958}), Utf8({0x915, 0x93C}), Utf8({0x915, 0x93C}), Utf8({0x915, 0x93C}),
       Utf8({0x915, 0x93C})},
      {Utf8({0xFB01}), Utf8({0xFB01}), Utf8({0xFB01}), "fi", "fi"},
      {Utf8({0xAC01}), Utf8({0xAC01}), Utf8({0x1100, 0x1161, 0x11A8}), Utf8({0xAC01}),
       Utf8({0x1100, 0x1161, 0x11A8})},
      {Utf8({0x1100, 0xAC00, 0x11A8}), Utf8({0x1100, 0xAC01}),
       Utf8({0x1100, 0x1100, 0x1161, 0x11A8}), Utf8({0x1100, 0xAC01}),
       Utf8({0x1100, 0x1100, 0x1161, 0x11A8})},
      {Utf8({0x61, 0x315, 0x300, 0x5AE, 0x62}), Utf8({0xE0, 0x5AE, 0x315, 0x62}),
       Utf8({0x61, 0x5AE, 0x300, 0x315, 0x62}), Utf8({0xE0, 0x5AE, 0x315, 0x62}),
       Utf8({0x61, 0x5AE, 0x300, 0x315, 0x62})},
      {Utf8({0x0344}), Utf8({0x308, 0x301}), Utf8({0x308, 0x301}), Utf8({0x308, 0x301}),
       Utf8({0x308, 0x301})},
      {Utf8({0x3B1, 0x345, 0x301}), Utf8({0x1FB4}), Utf8({0x3B1, 0x301, 0x345}), Utf8({0x1FB4}),
       Utf8({0x3B1, 0x301, 0x345})},
      {Utf8({0xBD, 0xFF21}), Utf8({0xBD, 0xFF21}), Utf8({0xBD, 0xFF21}),
       Utf8({0x31, 0x2044, 0x32, 0x41}), Utf8({0x31, 0x2044, 0x32, 0x41})},
      {"plain", "plain", "plain", "plain", "plain"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(Normalize(row.source, NormalForm::kNfc), row.nfc) << row.source;
    EXPECT_EQ(Normalize(row.source, NormalForm::kNfd), row.nfd) << row.source;
    EXPECT_EQ(Normalize(row.source, NormalForm::kNfkc), row.nfkc) << row.source;
    EXPECT_EQ(Normalize(row.source, NormalForm::kNfkd), row.nfkd) << row.source;
  }
}

// Of any text: forms are stable, agree with each other, and do not depend on cuts at segments.
TEST(NormalForm, RandomTextsObeyTheRulesOfTheForms) {
  std::mt19937 random(5);
  const auto pick = [&]() -> uint32_t {
    switch (random() % 6) {
      case 0:
        return 0x300 + random() % 0x70;
      case 1:
        return 0xA0 + random() % 0x1E0;
      case 2:
        return 0x1100 + random() % 0x100;
      case 3:
        return 0xAC00 + random() % 60;
      case 4:
        return 'a' + random() % 26;
      default:
        return random() % 0xD800;
    }
  };
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (size_t n = random() % 12; n > 0; --n) AppendCodePoint(pick(), text);
    const std::string nfc = Normalize(text, NormalForm::kNfc);
    const std::string nfd = Normalize(text, NormalForm::kNfd);
    const std::string nfkc = Normalize(text, NormalForm::kNfkc);
    const std::string nfkd = Normalize(text, NormalForm::kNfkd);
    EXPECT_EQ(Normalize(nfd, NormalForm::kNfc), nfc);
    EXPECT_EQ(Normalize(nfc, NormalForm::kNfd), nfd);
    EXPECT_EQ(Normalize(nfc, NormalForm::kNfc), nfc);
    EXPECT_EQ(Normalize(nfd, NormalForm::kNfkc), nfkc);
    EXPECT_EQ(Normalize(nfkc, NormalForm::kNfkd), nfkd);
    EXPECT_EQ(Normalize(nfkd, NormalForm::kNfkc), nfkc);
    for (size_t at = 0; at < text.size();) {
      size_t next = at;
      if (StartsSegment(NextCodePoint(text, &next), NormalForm::kNfc)) {
        EXPECT_EQ(Normalize(text.substr(0, at), NormalForm::kNfc) +
                      Normalize(text.substr(at), NormalForm::kNfc),
                  nfc);
      }
      at = next;
    }
  }
}

TEST(NormalForm, AMegabyteOfMarksTakesNoQuadraticTime) {
  std::string text = "a";
  while (text.size() < 1 << 20) text += "\xCC\x81\xCC\xA3";  // acute, dot below
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Normalize(text, NormalForm::kNfc).size(), text.size());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(Case, OfOneCharacter) {
  const auto lower = [](uint32_t c) {
    std::string out;
    AppendLower(c, out);
    return out;
  };
  EXPECT_EQ(lower('A'), "a");
  EXPECT_EQ(lower('a'), "a");
  EXPECT_EQ(lower(0xC4), "\xC3\xA4");
  EXPECT_EQ(lower(0x130), "i\xCC\x87");
  EXPECT_EQ(lower(0x3A3), "\xCF\x83");  // no final form: there is no word around it
  EXPECT_EQ(SimpleUpper(0xE4), 0xC4u);
  EXPECT_EQ(SimpleUpper(0xDF), 0xDFu);  // two letters
  EXPECT_EQ(SimpleLower(0x17E), 0x17Eu);
  EXPECT_EQ(SimpleUpper(0x17E), 0x17Du);
}

}  // namespace
}  // namespace skerry::engine::unicode
