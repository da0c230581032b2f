#include "engine/grammar/regex_grammar.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "tests/engine/grammar/test_tokenizer.h"

namespace skerry::engine {
namespace {

struct Row {
  const char* pattern;
  std::vector<std::string> yes;
  std::vector<std::string> no;
};

TEST(CompileRegex, TruthTable) {
  const std::vector<Row> rows = {
      {"", {""}, {"a"}},
      {"abc", {"abc"}, {"ab", "abcd", ""}},
      {"a|b|", {"a", "b", ""}, {"ab"}},
      {"^(ab)*$", {"", "ab", "abab"}, {"a", "aba"}},
      {"a{2,3}", {"aa", "aaa"}, {"a", "aaaa"}},
      {"a{2,}", {"aa", "aaaaaaa"}, {"a"}},
      {"(a|aa){3,4}", {"aaa", "aaaaaaaa"}, {"aa", "aaaaaaaaa"}},
      {"(a?){5}b", {"b", "aaaaab"}, {"aaaaaab"}},
      {"[^a-c]", {"d", "\xC3\xA4", "\xF0\x9F\xA6\x99", "\n"}, {"a", "\xC3", "", "dd"}},
      {"[a\\]\\-z-]+", {"a]-z", "-"}, {"b"}},
      {".", {"a", "\xE2\x82\xAC"}, {"\n", "\xE2\x80\xA8", ""}},
      {"\\d+\\.\\d", {"12.5"}, {"12,5", ".5"}},
      {"\\w\\W\\s\\S", {"a- b"}, {"ab b"}},
      {"\\p{Lu}\\p{Ll}*", {"Abc", "\xC3\x84\xC3\xA4"}, {"abc"}},
      {"\\x41\\u00e4\\u{1F999}\\uD83E\\uDD99",
       {"A\xC3\xA4\xF0\x9F\xA6\x99\xF0\x9F\xA6\x99"},
       {"A"}},
      {"(?i)ab[c-d]", {"aBC", "ABd"}, {"abe"}},
      {"x(?i:y)z", {"xYz"}, {"XYz"}},
      {"(?:a|(?<name>b))c*?", {"a", "bcc"}, {"c"}},
      {"[\\s\\d]", {"\t", "7"}, {"x"}},
      {"a{200}", {std::string(200, 'a')}, {std::string(199, 'a'), std::string(201, 'a')}},
  };
  for (const Row& row : rows) {
    const auto grammar = CompileRegex(row.pattern);
    ASSERT_TRUE(grammar) << row.pattern << ": " << grammar.error().message();
    for (const std::string& text : row.yes) {
      EXPECT_TRUE(Matches(*grammar, text)) << row.pattern << " " << text;
    }
    for (const std::string& text : row.no) {
      EXPECT_FALSE(Matches(*grammar, text)) << row.pattern << " " << text;
    }
  }
}

TEST(CompileRegex, RefusesByName) {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {"(?=a)", "looking ahead"},
      {"a(?!b)", "looking ahead"},
      {"(a)\\1", "'\\1' is not supported"},
      {"\\bword", "borders of words"},
      {"a**", "needs a group"},
      {"*a", "repeats nothing"},
      {"a{3,2}", "not a repetition"},
      {"a{x", "not a repetition"},
      {"(a", "without )"},
      {"a)", "without ("},
      {"[a", "without ]"},
      {"[b-a]", "not a range"},
      {"[[:alpha:]]", "[:...:]"},
      {"a^b", "^ and $"},
      {"(a$)?b", "^ and $"},
      {"\\q", "'\\q'"},
      {"\\p{Foo}", "'Foo'"},
      {"[^\\s\\S]", "nothing can match"},
      {"\\uD800", "pattern"},
      {"(a*){1000}", "may be empty"},
      {"a{2000000}", "repetition of more than"},
      {"\xC3", "UTF-8"}};
  for (const auto& [pattern, part] : rows) {
    const auto grammar = CompileRegex(pattern);
    ASSERT_FALSE(grammar) << pattern;
    EXPECT_NE(grammar.error().message().find(part), std::string::npos)
        << pattern << ": " << grammar.error().message();
  }
}

TEST(CompileRegex, BoundsItsSize) {
  std::string nested = "a";
  for (int i = 0; i < 30; ++i) nested = "(" + nested + "){2}";  // 2^30 letters if written out
  EXPECT_EQ(CompileRegex(nested).error().code(), ErrorCode::kExhausted);
  EXPECT_EQ(CompileRegex(std::string(200, '(')).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CompileRegex(std::string(20'000, 'a')).error().code(), ErrorCode::kExhausted);
}

// Every text over {a, b} up to a length, judged by another implementation.
std::set<std::string> AllMatches(const std::string& pattern, size_t max_length) {
  const std::regex oracle(pattern);
  std::set<std::string> matches;
  for (size_t length = 0; length <= max_length; ++length) {
    for (size_t bits = 0; bits < size_t{1} << length; ++bits) {
      std::string text;
      for (size_t i = 0; i < length; ++i) text += bits >> i & 1 ? 'b' : 'a';
      if (std::regex_match(text, oracle)) matches.insert(text);
    }
  }
  return matches;
}

// Tokens of several letters: a bit is set exactly where some text of the language goes on with the
// token. All patterns have texts of at most 12 letters.
TEST(CompileRegex, MasksAreWhatCanBeContinued) {
  std::vector<std::string> tokens;
  for (size_t length = 1; length <= 3; ++length) {
    for (size_t bits = 0; bits < size_t{1} << length; ++bits) {
      tokens.emplace_back();
      for (size_t i = 0; i < length; ++i) tokens.back() += bits >> i & 1 ? 'b' : 'a';
    }
  }
  tokens.push_back("c");
  tokens.push_back("a");  // a twin
  const auto vocabulary = MakeVocabulary(tokens);
  for (const char* pattern :
       {"(a|b){0,5}", "(ab|ba){4}", "a{3,7}b?", "(a|ab)(b|bb){0,3}a?", "(aa|b){4,5}",
        "((a|b)a){2,5}", "(a{1,2}b){0,3}", "b?(a?b?a?){3}", "(a|aa|aaa){4}"}) {
    const auto grammar = CompileRegex(pattern);
    ASSERT_TRUE(grammar) << grammar.error().message();
    const auto constraint = std::make_shared<Constraint>(*grammar, vocabulary);
    std::set<std::string> language = AllMatches(pattern, 12);
    std::set<std::string> prefixes;
    for (const std::string& text : language) {
      for (size_t i = 0; i <= text.size(); ++i) prefixes.insert(text.substr(0, i));
    }
    for (const std::string& prefix : prefixes) {
      Matcher matcher(constraint);
      ASSERT_TRUE(matcher.AcceptBytes(prefix)) << pattern << " " << prefix;
      EXPECT_EQ(matcher.CanEnd(), language.count(prefix) == 1) << pattern << " " << prefix;
      const std::vector<uint32_t> mask = MaskOf(matcher, *vocabulary);
      EXPECT_EQ(IsAllowed(mask, 0), matcher.CanEnd());
      for (size_t i = 0; i < tokens.size(); ++i) {
        EXPECT_EQ(IsAllowed(mask, static_cast<TokenId>(i + 1)),
                  prefixes.count(prefix + tokens[i]) == 1)
            << pattern << " '" << prefix << "' + '" << tokens[i] << "'";
      }
    }
  }
}

}  // namespace
}  // namespace skerry::engine
