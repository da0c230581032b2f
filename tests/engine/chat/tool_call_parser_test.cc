#include "engine/chat/tool_call_parser.h"

#include <gtest/gtest.h>

namespace skerry::engine {
namespace {

struct Parsed {
  std::vector<ToolCall> calls;
  std::string rest;
  bool malformed;
};

Parsed ParseInSteps(std::string_view text, size_t step) {
  ToolCallParser parser;
  Parsed parsed;
  for (size_t at = 0; at < text.size(); at += step) {
    for (ToolCall& call : parser.Push(text.substr(at, step))) parsed.calls.push_back(call);
  }
  parsed.rest = parser.Rest();
  parsed.malformed = parser.malformed();
  return parsed;
}

TEST(ToolCallParser, ReadsCallsAtAnySplit) {
  const std::string_view text =
      R"( [{"name": "f", "arguments": {"a": "}]\"{", "b": [1, {}]}, "id": "x"}, {"name":"g"}])";
  for (const size_t step : {size_t{1}, size_t{3}, size_t{7}, text.size()}) {
    const Parsed parsed = ParseInSteps(text, step);
    ASSERT_EQ(parsed.calls.size(), 2u);
    EXPECT_EQ(parsed.calls[0].name, "f");
    EXPECT_EQ(parsed.calls[0].arguments, R"({"a": "}]\"{", "b": [1, {}]})");
    EXPECT_EQ(parsed.calls[1].arguments, "{}");
    EXPECT_EQ(parsed.rest, "");
    EXPECT_FALSE(parsed.malformed);
  }
}

TEST(ToolCallParser, QuotedArgumentsAreUnwrapped) {
  const Parsed parsed = ParseInSteps(R"([{"name":"f","arguments":"{\"a\": 1}"}])", 5);
  ASSERT_EQ(parsed.calls.size(), 1u);
  EXPECT_EQ(parsed.calls[0].arguments, R"({"a": 1})");
}

TEST(ToolCallParser, ACallIsKnownAsSoonAsItsLastBrace) {
  ToolCallParser parser;
  EXPECT_TRUE(parser.Push(R"([{"name":"f","arguments":{})").empty());
  EXPECT_EQ(parser.Push("}").size(), 1u);
  EXPECT_TRUE(parser.any());
  EXPECT_EQ(parser.Rest(), "");
}

TEST(ToolCallParser, BrokenTextComesBack) {
  for (const char* text : {"hello", "[1]", R"([{"name":"f","arguments":3}])",
                           R"([{"arguments":{}}])", R"([{"name":"f","arguments":"no"}])",
                           R"([{"name":"f",}])", R"([{"name":"","arguments":{}}])"}) {
    const Parsed parsed = ParseInSteps(text, 4);
    EXPECT_TRUE(parsed.calls.empty()) << text;
    EXPECT_TRUE(parsed.malformed) << text;
    EXPECT_EQ(parsed.rest, text);
  }
  const Parsed cut = ParseInSteps(R"([{"name":"f","argu)", 4);
  EXPECT_FALSE(cut.malformed);
  EXPECT_EQ(cut.rest, R"([{"name":"f","argu)");
}

TEST(ToolCallParser, HasABound) {
  ToolCallParser parser;
  parser.Push(R"([{"name":"f","arguments":{"a":")");
  parser.Push(std::string(ToolCallParser::kMaxBytes, 'x'));
  EXPECT_TRUE(parser.malformed());
}

TEST(ToolCallParser, NamesThatWereNotOfferedAreNoCalls) {
  ToolCallParser parser({"get_weather"});
  const auto first = parser.Push("[{\"name\": \"get_weather\", \"arguments\": {}}, ");
  ASSERT_EQ(first.size(), 1u);
  EXPECT_TRUE(parser.Push("{\"name\": \"isolate_host\", \"arguments\": {}}]").empty());
  EXPECT_TRUE(parser.malformed());

  ToolCallParser other({"get_weather"});
  const std::string text = "[{\"name\": \"isolate_host\", \"arguments\": {}}";
  EXPECT_TRUE(other.Push(text).empty());
  EXPECT_FALSE(other.any());
  EXPECT_EQ(other.Rest(), text);
}

}  // namespace
}  // namespace skerry::engine
