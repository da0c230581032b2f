#include "engine/grammar/ebnf.h"

#include <gtest/gtest.h>

#include "tests/engine/grammar/test_tokenizer.h"

namespace skerry::engine {
namespace {

struct Row {
  const char* grammar;
  std::vector<std::string> yes;
  std::vector<std::string> no;
};

TEST(CompileEbnf, TruthTable) {
  const std::vector<Row> rows = {
      {"root ::= \"a\" | \"b\" \"c\"", {"a", "bc"}, {"b", "abc", ""}},
      {"# comment\nroot ::= item (\",\" item)* # more\nitem ::= [a-z]+ |\n  \"(\" root \")\"\n",
       {"a", "ab,c", "(a,(b)),c"},
       {"", "a,", "(a", "A"}},
      {"root ::= x{2} y{1,} z{0,2}\nx ::= \"x\"\ny::=\"y\"\nz ::= \"z\"",
       {"xxy", "xxyyzz"},
       {"xy", "xxyzzz"}},
      {"root ::= \"\" | \"a\" root \"b\"", {"", "ab", "aabb"}, {"aab", "ba"}},
      {"root ::= \"\\x41\\u00e4\\U0001F999\\n\\\"\"", {"A\xC3\xA4\xF0\x9F\xA6\x99\n\""}, {"A"}},
      {"root ::= [^\\n\\x00-\\x1F]? .", {"ab", "\n"}, {"", "\na"}},
      {"root ::= \"yes\"i", {"YES", "yEs"}, {"ye"}},
      {"start: greeting \" \" NAME\n?greeting: \"hi\" | \"hello\" -> other\nNAME: /[A-Z][a-z]*/\n",
       {"hi Bob", "hello A"},
       {"hi bob", "hey Bob"}},
      {"start: \"a\" [\"b\" | \"c\"] \"d\"~2..3 // optional", {"add", "abddd"}, {"abd", "abcdd"}},
      {"start: /a\\/[b\\/]/i", {"A/B", "a//"}, {"ab"}},
      {"root ::= a b c\na ::= \"\"\nb ::= \"b\"? \nc ::= a a", {"", "b"}, {"bb"}},
      {"root ::= | \"a\"", {"", "a"}, {"aa"}},
  };
  for (const Row& row : rows) {
    const auto grammar = CompileEbnf(row.grammar);
    ASSERT_TRUE(grammar) << row.grammar << ": " << grammar.error().message();
    for (const std::string& text : row.yes) {
      EXPECT_TRUE(Matches(*grammar, text)) << row.grammar << " " << text;
    }
    for (const std::string& text : row.no) {
      EXPECT_FALSE(Matches(*grammar, text)) << row.grammar << " " << text;
    }
  }
}

TEST(CompileEbnf, RefusesByNameAndLine) {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {"", "no rule 'root'"},
      {"root ::= x\n", "line 1: there is no rule 'x'"},
      {"root ::= \"a\"\nroot ::= \"b\"", "line 2: rule 'root' is there twice"},
      {"root ::= root \"a\" | \"a\"", "rule 'root' begins with itself"},
      {"root ::= a\na ::= b\nb ::= [x]* a", "begins with itself"},
      {"root ::= \"a\" root", "nothing can match"},
      {"root ::= \"a", "without its last"},
      {"root ::= (\"a\"", "not closed"},
      {"root ::= \"a\")", "')' was not expected"},
      {"root ::= [b-a]", "not a range"},
      {"root ::= \"a\"{3,2}", "not a repetition"},
      {"\n%import common.WS", "line 2: directives"},
      {"root ::= /a", "without its last '/'"},
      {"root ::= /(?=a)/", "looking ahead"},
      {"root ::= \"\\uD800\"", "surrogate"},
      {"root ::= \"\\d\"", "no character"},
      {"hello", "'name ::= ...'"},
      {"root ::= \"\xFF\"", "UTF-8"},
  };
  for (const auto& [text, part] : rows) {
    const auto grammar = CompileEbnf(text);
    ASSERT_FALSE(grammar) << text;
    EXPECT_NE(grammar.error().message().find(part), std::string::npos)
        << text << ": " << grammar.error().message();
  }
}

TEST(CompileEbnf, BoundsItsSize) {
  EXPECT_EQ(CompileEbnf(std::string(300'000, ' ')).error().code(), ErrorCode::kExhausted);
  EXPECT_FALSE(CompileEbnf("root ::= " + std::string(500, '(')));
  // Many rules that each call the one before them twice: no copies are made.
  std::string chain = "root ::= r200\nr0 ::= \"a\"?\n";
  for (int i = 1; i <= 200; ++i) {
    const std::string before = "r" + std::to_string(i - 1);
    chain += "r" + std::to_string(i) + " ::= \"(\" " + before + " " + before + " \")\" | \"-\"\n";
  }
  const auto grammar = CompileEbnf(chain);
  ASSERT_TRUE(grammar) << grammar.error().message();
  EXPECT_LT(grammar->n_states(), 5000u);
  EXPECT_TRUE(Matches(*grammar, "((--)-)"));
}

// Palindromes: every position may be the middle, and the automaton follows all of them.
TEST(CompileEbnf, AmbiguousGrammars) {
  const auto grammar = CompileEbnf("root ::= \"a\" root \"a\" | \"b\" root \"b\" | [ab]?");
  ASSERT_TRUE(grammar);
  EXPECT_TRUE(Matches(*grammar, "abbabba"));
  EXPECT_TRUE(Matches(*grammar, "aaaaaaaaaaaa"));
  EXPECT_FALSE(Matches(*grammar, "abbabbb"));
}

}  // namespace
}  // namespace skerry::engine
