#include "engine/tokenizer/regex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <regex>

#include "engine/tokenizer/pre_patterns.h"
#include "engine/unicode/code_points.h"
#include "tests/engine/tokenizer/sizes.h"

namespace skerry::engine {
namespace {

// "[match]between[match]": how a text is cut.
std::string Cut(const Regex& regex, std::string_view text) {
  std::string out;
  regex.ForEach(text, [&](size_t start, size_t end, bool is_match) {
    const std::string part(text.substr(start, end - start));
    out += is_match ? "[" + part + "]" : part;
  });
  return out;
}

std::string Cut(std::string_view pattern, std::string_view text) {
  const auto regex = Regex::Create(pattern);
  return regex ? Cut(*regex, text) : "error: " + regex.error().message();
}

TEST(Regex, Notation) {
  struct Case {
    std::string_view pattern, text, cut;
  };
  const Case cases[] = {
      {"a|ab", "abab", "[a]b[a]b"},  // the first alternative that matches, not the longest
      {"ab|a", "abab", "[ab][ab]"},
      {"a+?b?", "aab", "[a][ab]"},
      {"a{2,3}", "aaaaa", "[aaa][aa]"},
      {"a{2}", "aaaaa", "[aa][aa]a"},
      {"a{2,}", "aaaaab", "[aaaaa]b"},
      {"a{,2}b", "aaab", "a[aab]"},
      {"(?:ab)+c?", "ababcab", "[ababc][ab]"},
      {"(?i:k's|x)", "K'S X k's x", "[K'S] [X] [k's] [x]"},
      {"(?i:s)", "\xC5\xBF", "[\xC5\xBF]"},  // the long s is an s
      {"(?i)b|c", "BCbc", "[B][C][b][c]"},
      {"a(?:(?i)b|c)c", "aCc abC", "[aCc] abC"},  // the flag ends with the group
      {"[^a-c]", "abcd", "abc[d]"},
      {"[a-c&&[^b]]+", "abcab", "[a]b[ca]b"},
      {"[]x]", "]x", "[]][x]"},
      {"[x-]", "-x", "[-][x]"},
      {"[\\]\\-]", "]-", "[]][-]"},
      {"\\s+(?!\\S)|\\s+", "a   b  ", "a[  ][ ]b[  ]"},
      {"a(?=b)", "abac", "[a]bac"},
      {"a$", "aa\na", "a[a]\n[a]"},
      {".", "a\n", "[a]\n"},
      {"\\p{Lu}+", "aBC\xC3\x84", "a[BC\xC3\x84]"},
      {"\\P{L}+", "a1b", "a[1]b"},
      {"\\p{^L}+", "a1b", "a[1]b"},
      {"[\\p{L}\\p{M}]+", "e\xCC\x81 x", "[e\xCC\x81] [x]"},
      {"\\p{Han}+", "x\xE4\xB8\xAD\xE6\x96\x87", "x[\xE4\xB8\xAD\xE6\x96\x87]"},
      {"\\d\\w\\W\\D", "1_-x", "[1_-x]"},
      {"\\x41\\x{42}\\u0043", "ABC", "[ABC]"},
      {"[^\\r\\n\\p{L}]?+\\p{L}+", "?ab??c", "[?ab]?[?c]"},
      {"a*+a|b", "aab", "aa[b]"},  // what is possessive gives nothing back
      {"a++b", "aab", "[aab]"},
      {"a?+a", "a aa", "a [aa]"},
      {"x*", "axx", "a[xx]"},  // an empty match is none
      {"\xC3\xA4|\xE4\xB8\xAD", "\xC3\xA4\xE4\xB8\xAD", "[\xC3\xA4][\xE4\xB8\xAD]"},
  };
  for (const Case& c : cases) EXPECT_EQ(Cut(c.pattern, c.text), c.cut) << c.pattern;
}

TEST(Regex, WhatIsNotSupportedIsNamed) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"(?<=a)b", "kind of group"},
      {"a(?i)b", "kind of group"},
      {"(?>a)", "kind of group"},
      {"a(?!bc)", "one character"},
      {"(ab)++", "possessive"},
      {"a{2}+", "different things"},
      {"^a", "^ is not"},
      {"\\bx", "\\b is not"},
      {"\\p{Greek}", "\\p{Greek}"},
      {"[[:alpha:]]", "[: :]"},
      {"(a", "( without )"},
      {"a)", ") without ("},
      {"[a", "[ without ]"},
      {"*a", "repetition of nothing"},
      {"a{3,2}", "bad repetition"},
      {"a{x", "a {"},
      {"\\", "at the end"},
      {"[b-a]", "bad range"},
      {"a{9999}", "bad repetition"},
      {"((a{1000}){1000}){1000}", "too large"}};
  for (const auto& [pattern, expected] : cases) {
    const std::string found = Cut(pattern, "x");
    EXPECT_NE(found.find(expected), std::string::npos) << pattern << ": " << found;
  }
  EXPECT_FALSE(Regex::CreateLiteral(""));
  EXPECT_EQ(Cut(*Regex::CreateLiteral("a.b"), "axb a.b"), "axb [a.b]");
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "(?:";
  EXPECT_NE(Cut(deep, "").find("deeply"), std::string::npos);
}

// The C++ library's expressions have the same rule for which match counts.
TEST(Regex, RandomPatternsMatchAsTheLibrarysDo) {
  std::mt19937 random(17);
  const std::string_view atoms[] = {"a", "b", "c", "[ab]", "[^a]", "(?:a|bc)", "(?:ab|a)", "."};
  const std::string_view repeats[] = {"", "", "", "?", "*", "+", "{1,2}", "??", "+?", "*?"};
  const std::string_view ends[] = {"", "", "(?!a)", "(?=b)", "(?![ab])"};
  for (int round = 0; round < testing::Rounds(1500); ++round) {
    std::string pattern;
    for (size_t alternatives = random() % 3 + 1; alternatives > 0; --alternatives) {
      for (size_t n = random() % 3 + 1; n > 0; --n) {
        pattern += atoms[random() % std::size(atoms)];
        pattern += repeats[random() % std::size(repeats)];
      }
      pattern += ends[random() % std::size(ends)];
      if (alternatives > 1) pattern += "|";
    }
    const auto regex = Regex::Create(pattern);
    ASSERT_TRUE(regex) << pattern;
    const std::regex expected(pattern);
    for (int texts = 0; texts < 8; ++texts) {
      std::string text;
      for (size_t n = random() % 9; n > 0; --n) text += "abc"[random() % 3];
      for (size_t at = 0; at <= text.size(); ++at) {
        std::smatch match;
        const bool found =
            std::regex_search(text.cbegin() + static_cast<std::ptrdiff_t>(at), text.cend(), match,
                              expected, std::regex_constants::match_continuous) &&
            match.length() > 0;
        const size_t end = found ? at + static_cast<size_t>(match.length()) : Regex::kNone;
        EXPECT_EQ(regex->MatchAt(text, at), end) << pattern << " in '" << text << "' at " << at;
        EXPECT_EQ(regex->MatchByThreads(text, at), end) << pattern << " in '" << text << "'";
      }
    }
  }
}

std::string RandomText(std::mt19937& random, size_t n) {
  std::string text;
  const std::string_view common[] = {" ",  "  ", "\n", "\r\n", "\t", "'s", "'LL",     "it",
                                     "He", "12", "3",  "/",    "?!", "_",  "\xC2\xA0"};
  while (n-- > 0) {
    switch (random() % 4) {
      case 0:
        text += common[random() % std::size(common)];
        break;
      case 1:
        text += static_cast<char>('A' + random() % 58);
        break;
      case 2:
        unicode::AppendCodePoint(0xA1 + random() % 0x2000, text);
        break;
      default: {
        uint32_t c = random() % unicode::kCodePoints;
        if (c >= 0xD800 && c <= 0xDFFF) c = 'x';
        unicode::AppendCodePoint(c, text);
      }
    }
  }
  return text;
}

TEST(Regex, TheTableAgreesWithTheThreads) {
  std::mt19937 random(23);
  for (const char* name : {"llama-bpe", "qwen2", "qwen35", "tekken", "gpt-4o", "gpt-2", "falcon",
                           "deepseek-v3", "deepseek-llm", "deepseek-coder", "starcoder"}) {
    const auto found = FindPrePattern(name);
    ASSERT_TRUE(found);
    for (const std::string_view pattern : (*found)->patterns) {
      const auto regex = Regex::Create(pattern);
      ASSERT_TRUE(regex) << regex.error().message();
      ASSERT_TRUE(regex->has_table()) << pattern;
      for (int round = 0; round < 60; ++round) {
        const std::string text = RandomText(random, 40);
        for (size_t at = 0; at < text.size(); at += unicode::CharBytes(text[at])) {
          ASSERT_EQ(regex->MatchByTable(text, at), regex->MatchByThreads(text, at))
              << name << ": '" << text << "' at " << at;
        }
      }
    }
  }
}

TEST(Regex, PatternsOfManyStatesRunWithoutATable) {
  // Remembers which of the last 12 characters were an a: 2^12 states.
  const auto regex = Regex::Create("(?:[ab]*a[ab]{12}c)");
  ASSERT_TRUE(regex);
  EXPECT_FALSE(regex->has_table());
  EXPECT_EQ(regex->MatchAt("bbabababbbababac", 0), 16u);
  EXPECT_EQ(regex->MatchAt("bbbbbbbbbbbbbbbc", 0), Regex::kNone);
}

TEST(Regex, NoTextTakesQuadraticTime) {
  const auto start = std::chrono::steady_clock::now();
  for (const char* name : {"llama-bpe", "tekken", "gpt-4o", "gpt-2", "deepseek-v3"}) {
    const auto found = FindPrePattern(name);
    ASSERT_TRUE(found);
    for (const std::string_view pattern : (*found)->patterns) {
      const auto regex = Regex::Create(pattern);
      ASSERT_TRUE(regex);
      std::string mixed;
      while (mixed.size() < testing::kLongText) mixed += "Aa1' \n?\xCC\x81";
      for (const std::string& text :
           {std::string(testing::kLongText, 'a'), std::string(testing::kLongText, 'A'),
            std::string(testing::kLongText, ' '), std::string(testing::kLongText, '\n'),
            std::string(testing::kLongText, '7'), std::string(testing::kLongText, '?'),
            std::string(testing::kLongText, ' ') + "x", std::string(testing::kLongText, ' ') + "\n",
            mixed}) {
        size_t bytes = 0;
        regex->ForEach(text, [&](size_t from, size_t to, bool) { bytes += to - from; });
        EXPECT_EQ(bytes, text.size());
      }
    }
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

}  // namespace
}  // namespace skerry::engine
