#include "engine/chat/json_text.h"

#include <gtest/gtest.h>

namespace skerry::engine {
namespace {

TEST(JsonText, SpellsAsPythonDoes) {
  struct Case {
    std::string_view in, out;
  };
  const Case cases[] = {
      {R"({"b":1,"a":[1,2.50,-0e1,true,null]})", R"({"b": 1, "a": [1, 2.50, -0e1, true, null]})"},
      {" { \"a\" :\n \"x, y: z\" } ", R"({"a": "x, y: z"})"},
      {R"("\u00e4\/\"\\\n\u0001\ud83e\udd99\u20ac")",
       "\"\xC3\xA4/\\\"\\\\\\n\\u0001\xF0\x9F\xA6\x99\xE2\x82\xAC\""},
      {"[]", "[]"},
      {"{}", "{}"},
      {"22", "22"},
  };
  for (const Case& c : cases) EXPECT_EQ(PythonJson(c.in), c.out);
}

TEST(JsonText, QuotesWhatMustBeQuoted) {
  EXPECT_EQ(QuoteJson("a\"\\\t\x1f\x7f\xC3\xA4"), "\"a\\\"\\\\\\t\\u001f\x7f\xC3\xA4\"");
}

TEST(JsonText, RawPartsKeepTheirSpelling) {
  const auto elements = RawElements(R"([ {"a":[1,2]} , "x,\"]" ,3 ])");
  ASSERT_EQ(elements.size(), 3u);
  EXPECT_EQ(elements[0], R"({"a":[1,2]})");
  EXPECT_EQ(elements[1], R"("x,\"]")");
  EXPECT_EQ(elements[2], "3");
  EXPECT_TRUE(RawElements("[ ]").empty());
  const auto members = RawMembers(R"({"z:,":{"q": 1.0},"\u0061" : [ ]})");
  ASSERT_EQ(members.size(), 2u);
  EXPECT_EQ(members[0].first, "z:,");
  EXPECT_EQ(members[0].second, R"({"q": 1.0})");
  EXPECT_EQ(members[1].first, "a");
  EXPECT_EQ(RawMember(R"({"x":1,"y": [2] })", "y"), "[2]");
  EXPECT_EQ(RawMember("{}", "y"), "");
}

}  // namespace
}  // namespace skerry::engine
