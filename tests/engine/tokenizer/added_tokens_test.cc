#include "engine/tokenizer/added_tokens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/engine/tokenizer/sizes.h"

namespace skerry::engine {
namespace {

// "text|{id}|text": what Split gives.
std::string Shown(const AddedTokens& tokens, std::string_view text,
                  std::vector<TextRange> trusted) {
  std::string out;
  for (const AddedTokens::Part& part : tokens.Split(text, trusted)) {
    if (!out.empty()) out += "|";
    out += part.id < 0 ? std::string(text.substr(part.start, part.end - part.start))
                       : "{" + std::to_string(part.id) + "}";
  }
  return out;
}

std::string Trusted(const AddedTokens& tokens, std::string_view text) {
  return Shown(tokens, text, {{0, text.size()}});
}

TEST(AddedTokens, TheLongestOfThoseThatBeginFirst) {
  const AddedTokens tokens({{"<a>", 1}, {"<a><b>", 2}, {"a", 3}, {"<a", 4}, {"", 5}, {"a", 6}});
  EXPECT_EQ(Trusted(tokens, "x<a>y"), "x|{1}|y");
  EXPECT_EQ(Trusted(tokens, "<a><b>"), "{2}");
  EXPECT_EQ(Trusted(tokens, "<a><c"), "{1}|<c");
  EXPECT_EQ(Trusted(tokens, "<<a"), "<|{4}");
  EXPECT_EQ(Trusted(tokens, "aa"), "{3}|{3}");
  EXPECT_EQ(Trusted(tokens, ""), "");
  EXPECT_EQ(Trusted(AddedTokens(), "<a>"), "<a>");
  EXPECT_EQ(tokens.Find("<a"), 4);
  EXPECT_EQ(tokens.Find("<"), std::nullopt);
  EXPECT_EQ(tokens.Find(""), std::nullopt);
}

TEST(AddedTokens, OnlyWhollyInsideOneTrustedRange) {
  const AddedTokens tokens({{"<a>", 1}, {"<a>b", 2}});
  EXPECT_EQ(Shown(tokens, "<a><a><a>", {}), "<a><a><a>");
  EXPECT_EQ(Shown(tokens, "<a><a><a>", {{3, 6}}), "<a>|{1}|<a>");
  EXPECT_EQ(Shown(tokens, "<a><a><a>", {{0, 2}, {4, 9}}), "<a><a>|{1}");
  EXPECT_EQ(Shown(tokens, "<a>b", {{0, 3}}), "{1}|b");  // the longer one reaches beyond
  EXPECT_EQ(Shown(tokens, "<a>b", {{0, 4}}), "{2}");
  EXPECT_EQ(Shown(tokens, "<a>b", {{1, 4}}), "<a>b");
}

TEST(AddedTokens, PlainOnesAreFoundInEveryText) {
  const AddedTokens tokens(
      {{"\n\n", 1, false, false, false, true}, {"\n", 2, false, false, false, true}, {"<a>", 3}});
  EXPECT_EQ(Shown(tokens, "x\n\n\ny<a>", {}), "x|{1}|{2}|y<a>");
  EXPECT_EQ(Shown(tokens, "\n\n<a>", {{1, 5}}), "{1}|{3}");
}

TEST(AddedTokens, WhatCountsAsPlain) {
  for (const char* name : {"\n\n", "\t", " ", "\xE2\x96\x81\xE2\x96\x81", "<table>", "</h1>"}) {
    EXPECT_TRUE(IsPlainName(name)) << name;
  }
  for (const char* name : {"", "<think>", "</tool_call>", "<>", "</>", "<TABLE>", "table", "<s",
                           "\n<", "<|x|>", "[INST]", "<start_of_turn>"}) {
    EXPECT_FALSE(IsPlainName(name)) << name;
  }
}

TEST(AddedTokens, StripsWhiteSpaceOnTheirSides) {
  const AddedTokens tokens({{"<l>", 1, true, false}, {"<r>", 2, false, true}, {"<n>", 3}});
  EXPECT_EQ(Trusted(tokens, "a \n<l> b"), "a|{1}| b");
  EXPECT_EQ(Trusted(tokens, "a <r> \n\xE3\x80\x80 b"), "a |{2}|b");
  EXPECT_EQ(Trusted(tokens, "<r>  <l>"), "{2}|{1}");
  EXPECT_EQ(Trusted(tokens, "<n> <l>  <n>"), "{3}|{1}|  |{3}");
  EXPECT_EQ(Trusted(tokens, "  <l>"), "{1}");
  // As in the whole prompt, also where a request wrote the white space.
  EXPECT_EQ(Shown(tokens, "<r>  b", {{0, 3}}), "{2}|b");
}

TEST(AddedTokens, WholeWordsTouchNoWord) {
  const AddedTokens tokens({{"yes", 1, false, false, true}});
  EXPECT_EQ(Trusted(tokens, "yes, yes.yes"), "{1}|, |{1}|.|{1}");
  EXPECT_EQ(Trusted(tokens, "yesyes eyes yes_ \xC3\xA4yes yes1"),
            "yesyes eyes yes_ \xC3\xA4yes yes1");
}

// The definition taken literally, over random texts, ranges and vocabularies.
TEST(AddedTokens, SplitsAsTheDefinitionSays) {
  std::mt19937 random(11);
  for (int round = 0; round < testing::Rounds(4000); ++round) {
    std::vector<AddedToken> list;
    for (size_t n = random() % 5; n > 0; --n) {
      AddedToken token;
      for (size_t length = random() % 3 + 1; length > 0; --length) token.text += "ab"[random() % 2];
      token.id = static_cast<TokenId>(list.size());
      token.plain = random() % 4 == 0;
      if (std::ranges::none_of(list, [&](const auto& t) { return t.text == token.text; })) {
        list.push_back(token);
      }
    }
    std::string text;
    for (size_t n = random() % 12; n > 0; --n) text += "abc"[random() % 3];
    std::vector<TextRange> trusted;
    for (size_t at = random() % 4; at < text.size(); at += random() % 4 + 1) {
      const size_t end = std::min<size_t>(at + random() % 6 + 1, text.size());
      trusted.push_back({at, end});
      at = end;
    }
    std::string expected;
    std::string plain;
    const auto add = [&](const std::string& part) {
      expected += (expected.empty() ? "" : "|") + part;
    };
    for (size_t at = 0; at < text.size();) {
      const AddedToken* best = nullptr;
      for (const AddedToken& token : list) {
        if (text.compare(at, token.text.size(), token.text) != 0) continue;
        const bool inside = std::ranges::any_of(trusted, [&](const TextRange& range) {
          return range.start <= at && at + token.text.size() <= range.end;
        });
        if (!inside && !token.plain) continue;
        if (best == nullptr || token.text.size() > best->text.size()) best = &token;
      }
      if (best == nullptr) {
        plain += text[at++];
        continue;
      }
      if (!plain.empty()) add(plain);
      plain.clear();
      add("{" + std::to_string(best->id) + "}");
      at += best->text.size();
    }
    if (!plain.empty()) add(plain);
    EXPECT_EQ(Shown(AddedTokens(list), text, trusted), expected) << text;
  }
}

}  // namespace
}  // namespace skerry::engine
