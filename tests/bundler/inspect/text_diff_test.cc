#include "bundler/inspect/text_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace skerry::inspect {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(TextDiffTest, SameTextsGiveNothing) {
  EXPECT_EQ(UnifiedDiff("a", "b", "", ""), "");
  EXPECT_EQ(UnifiedDiff("a", "b", "x\ny\n", "x\ny\n"), "");
}

TEST(TextDiffTest, AsDiffWritesIt) {
  EXPECT_EQ(UnifiedDiff("a", "b", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
            "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
  EXPECT_EQ(UnifiedDiff("a", "b", "", "new\n"), "--- a\n+++ b\n@@ -0,0 +1,1 @@\n+new\n");
  EXPECT_EQ(UnifiedDiff("a", "b", "old\n", ""), "--- a\n+++ b\n@@ -1,1 +0,0 @@\n-old\n");
  EXPECT_EQ(UnifiedDiff("a", "b", "x\n", "x"),
            "--- a\n+++ b\n@@ -1,1 +1,1 @@\n-x\n+x\n\\ no line feed here\n");
}

TEST(TextDiffTest, DistantChangesAreSeveralHunks) {
  std::string before, after;
  for (int i = 0; i < 30; ++i) {
    before += std::to_string(i) + "\n";
    after += (i == 3 || i == 25 ? "changed" : std::to_string(i)) + "\n";
  }
  const std::string diff = UnifiedDiff("a", "b", before, after);
  EXPECT_THAT(diff, HasSubstr("@@ -1,7 +1,7 @@\n"));
  EXPECT_THAT(diff, HasSubstr("@@ -23,7 +23,7 @@\n"));
}

// Applies the diff of whole texts (every line within context of a change) as `patch` would.
std::string Side(const std::string& diff, char without) {
  std::string text;
  size_t at = diff.find("@@\n") + 3;
  while (at < diff.size()) {
    const size_t end = diff.find('\n', at) + 1;
    if (diff[at] != without) text += diff.substr(at + 1, end - at - 1);
    at = end;
  }
  return text;
}

TEST(TextDiffTest, BothTextsCanBeReadOffTheDiff) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    // Seven lines at most, so that all of them are in one hunk.
    std::string before, after;
    for (unsigned i = random() % 4; i > 0; --i) before += "abc"[random() % 3] + std::string("\n");
    for (unsigned i = random() % 4; i > 0; --i) after += "abc"[random() % 3] + std::string("\n");
    if (before == after) continue;
    const std::string diff = UnifiedDiff("a", "b", before, after);
    EXPECT_EQ(Side(diff, '+'), before) << diff;
    EXPECT_EQ(Side(diff, '-'), after) << diff;
  }
}

TEST(TextDiffTest, NothingReachesTheTerminalUnseen) {
  EXPECT_EQ(Escaped("plain \\n text\twith tab\n"), "plain \\n text\twith tab\n");
  EXPECT_EQ(Escaped("\x1b[2J"), "\\u{1b}[2J");
  EXPECT_EQ(Escaped("a\rb"), "a\\u{d}b");
  EXPECT_EQ(Escaped(std::string("\0", 1)), "\\u{0}");
  EXPECT_EQ(Escaped("\xc2\x9b"
                    "31m"),
            "\\u{9b}31m")
      << "CSI in one character";
  EXPECT_EQ(Escaped("\xe2\x80\xae"), "\\u{202e}") << "right-to-left override";
  EXPECT_EQ(Escaped("\xe2\x80\x8b"), "\\u{200b}") << "zero width";
  EXPECT_EQ(Escaped("\xf3\xa0\x81\x81"), "\\u{e0041}") << "tag character";
  EXPECT_EQ(Escaped("\xff"
                    "a"),
            "\\x{ff}a");
  EXPECT_EQ(Escaped("\xc0\xaf"), "\\x{c0}\\x{af}") << "overlong";
  EXPECT_EQ(Escaped("\xed\xa0\x80"), "\\x{ed}\\x{a0}\\x{80}") << "surrogate";
  EXPECT_EQ(Escaped("\xe2\x80"), "\\x{e2}\\x{80}");
  EXPECT_EQ(Escaped("\\u{1b}\x1b"), "\\\\u{1b}\\u{1b}") << "the written form stays distinct";
  EXPECT_EQ(Escaped("<｜User｜>▁é語"), "<｜User｜>▁é語");
}

TEST(TextDiffTest, DiffsAreEscaped) {
  const std::string diff = UnifiedDiff("a", "b", "x\n", "x\x1b]0;owned\x07\n");
  EXPECT_THAT(diff, Not(HasSubstr("\x1b")));
  EXPECT_THAT(diff, HasSubstr("+x\\u{1b}]0;owned\\u{7}\n"));
}

TEST(TextDiffTest, LongLinesAreCutBehindTheirTags) {
  const std::string tail = "{% endif %}" + std::string(200, 'x');
  const std::string diff =
      UnifiedDiff("a", "b", "{% if a %}{{ b }}" + tail, "{% if a %}{{ c }}" + tail);
  EXPECT_THAT(diff, HasSubstr(" {% if a %}\n\\ no line feed here\n-{{ b }}\n"));
  EXPECT_THAT(diff, HasSubstr("+{{ c }}\n"));
}

TEST(TextDiffTest, HugeTextsAreSaidToDiffer) {
  std::string before, after;
  for (int i = 0; i < 1500; ++i) before += "a" + std::to_string(i) + "\n";
  for (int i = 0; i < 1500; ++i) after += "b" + std::to_string(i) + "\n";
  EXPECT_THAT(UnifiedDiff("a", "b", "same\n" + before, "same\n" + after),
              HasSubstr("too different to be shown: 1501 and 1501 lines, the first difference in "
                        "line 2\n"));
  EXPECT_THAT(UnifiedDiff("a", "b", std::string(1 << 20, '\n'), ""),
              HasSubstr("too different to be shown: 1048576 and 0 lines"));
  const std::string wide = UnifiedDiff("a", "b", "", std::string(1 << 20, '\x01'));
  EXPECT_LT(wide.size(), size_t{300} << 10);
  EXPECT_THAT(wide, HasSubstr("is not shown"));
}

}  // namespace
}  // namespace skerry::inspect
