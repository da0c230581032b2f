#include "engine/grammar/answer.h"

#include <gtest/gtest.h>

#include "tests/engine/grammar/test_tokenizer.h"

namespace skerry::engine {
namespace {

Marker Text(std::string text) { return {{false, std::move(text)}}; }
Marker Control(std::string name) { return {{true, std::move(name)}}; }

constexpr const char* kWeather =
    R"({"type":"object","properties":{"city":{"type":"string"}},"required":["city"]})";
constexpr const char* kAdd =
    R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a","b"]})";

// <tool_call>\n{"name": ..., "arguments": ...}\n</tool_call>
CallShape Tagged() {
  CallShape calls;
  calls.begin = Text("<tool_call>");
  calls.separator = Text("\n<tool_call>");
  calls.tools = {
      {Text("\n{\"name\": \"weather\", \"arguments\": "), kWeather, Text("}\n</tool_call>")},
      {Text("\n{\"name\": \"add\", \"arguments\": "), kAdd, Text("}\n</tool_call>")}};
  return calls;
}

const std::string kCall =
    "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\":1,\"b\":2}}\n</tool_call>";

Grammar Compile(const AnswerShape& shape) {
  auto grammar = CompileAnswer(shape);
  EXPECT_TRUE(grammar) << grammar.error().message();
  return *grammar;
}

TEST(CompileAnswer, TextOrCallsByMarker) {
  AnswerShape shape;
  shape.calls = Tagged();
  const Grammar grammar = Compile(shape);
  for (const std::string& text :
       {std::string(""), std::string("Hello <b>!"), kCall, "I will add. <tool" + kCall,
        kCall + "\n" + kCall, std::string("<<tool_cal")}) {
    EXPECT_TRUE(Matches(grammar, text)) << text;
  }
  for (const std::string& text :
       {std::string("<tool_call>"), kCall + "x", std::string("a<tool_call>\n{\"name\": \"rm\""),
        std::string("x<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\":\"1\"")}) {
    EXPECT_FALSE(Matches(grammar, text)) << text;
  }
}

// A marker may begin inside of what looked like its beginning.
TEST(CompileAnswer, FindsTheFirstMarker) {
  AnswerShape shape;
  shape.thoughts_end = Text("aab");
  shape.text = {TextRule::Kind::kRegex, "x", {}};
  const Grammar grammar = Compile(shape);
  for (const char* text : {"aabx", "aaaabx", "abaabx", "aacaab x"}) {
    EXPECT_TRUE(Matches(grammar, text)) << text;
  }
  for (const char* text : {"aax", "aabaabx", "abx", "aab"})
    EXPECT_FALSE(Matches(grammar, text)) << text;
}

TEST(CompileAnswer, CallsRequired) {
  AnswerShape shape;
  shape.calls = Tagged();
  shape.calls->required = true;
  shape.calls->several = false;
  EXPECT_FALSE(Matches(Compile(shape), ""));
  EXPECT_TRUE(Matches(Compile(shape), "Well: " + kCall));
  EXPECT_FALSE(Matches(Compile(shape), kCall + "\n" + kCall));
  shape.calls->text_before = false;
  EXPECT_FALSE(Matches(Compile(shape), "Well: " + kCall));
  EXPECT_TRUE(Matches(Compile(shape), kCall));
  shape.calls->required = false;
  EXPECT_TRUE(Matches(Compile(shape), "Well: no."));
  EXPECT_FALSE(Matches(Compile(shape), "<b>"));
}

// Tokens that reach over the marker are judged by what stands behind it.
TEST(CompileAnswer, TokensOverBorders) {
  AnswerShape shape;
  shape.calls = Tagged();
  const auto vocabulary =
      MakeByteVocabulary({"<tool_call>", "call>\n{\"", "call>\n[", "_call", "text <tool"});
  Matcher matcher(std::make_shared<Constraint>(Compile(shape), vocabulary));
  std::vector<uint32_t> mask = MaskOf(matcher, *vocabulary);
  for (TokenId id = 257; id <= 261; ++id) EXPECT_TRUE(IsAllowed(mask, id)) << id;
  ASSERT_TRUE(matcher.AcceptBytes("x <tool_"));
  mask = MaskOf(matcher, *vocabulary);
  EXPECT_TRUE(IsAllowed(mask, 258));
  EXPECT_FALSE(IsAllowed(mask, 259));
  EXPECT_TRUE(IsAllowed(mask, 260));
  EXPECT_TRUE(IsAllowed(mask, 0));
  ASSERT_TRUE(matcher.Accept(258));
  EXPECT_EQ(matcher.Forced(), "name\": \"");
  EXPECT_FALSE(matcher.CanEnd());
}

// [TOOL_CALLS]name[ARGS]{...}: control tokens that no text can imitate.
TEST(CompileAnswer, CallsByControlTokens) {
  AnswerShape shape;
  shape.calls.emplace();
  shape.calls->begin = Control("<|call|>");
  shape.calls->separator = Control("<|call|>");
  Marker head = Text("add");
  head.push_back({true, "<|args|>"});
  shape.calls->tools = {{head, kAdd, {}}};
  const auto vocabulary =
      MakeByteVocabulary({"<|call|>", "<|args|>", "<|other|>", "<", "call", "add"});
  const TokenId call = 257;
  const TokenId args = 258;
  const TokenId other = 259;
  Matcher matcher(std::make_shared<Constraint>(Compile(shape), vocabulary));
  std::vector<uint32_t> mask = MaskOf(matcher, *vocabulary);
  EXPECT_TRUE(IsAllowed(mask, call));
  EXPECT_FALSE(IsAllowed(mask, args));
  EXPECT_FALSE(IsAllowed(mask, other));
  EXPECT_TRUE(IsAllowed(mask, 0));
  ASSERT_TRUE(matcher.AcceptBytes("text <|call|>"));  // spelled: text
  ASSERT_TRUE(matcher.Accept(call));
  EXPECT_FALSE(matcher.CanEnd());
  EXPECT_EQ(matcher.Forced(), "add");  // not the control token behind it
  ASSERT_TRUE(matcher.Accept(262));
  mask = MaskOf(matcher, *vocabulary);
  EXPECT_TRUE(IsAllowed(mask, args));
  EXPECT_FALSE(IsAllowed(mask, call));
  ASSERT_TRUE(matcher.Accept(args));
  ASSERT_TRUE(matcher.AcceptBytes("{\"a\":1,\"b\":2}"));
  mask = MaskOf(matcher, *vocabulary);
  EXPECT_TRUE(IsAllowed(mask, call));
  EXPECT_TRUE(IsAllowed(mask, 0));
  EXPECT_FALSE(IsAllowed(mask, 1 + 'x'));
}

// A vocabulary of all bytes has those that control tokens are spelled with.
TEST(CompileAnswer, BytesDoNotSpellControlTokens) {
  AnswerShape shape;
  shape.calls.emplace();
  shape.calls->begin = Control("<|call|>");
  shape.calls->tools = {{Text("f"), kAdd, {}}};
  shape.calls->required = true;
  shape.calls->text_before = false;
  const auto vocabulary = MakeByteVocabulary({"<|call|>"});
  Matcher matcher(std::make_shared<Constraint>(Compile(shape), vocabulary));
  const std::vector<uint32_t> mask = MaskOf(matcher, *vocabulary);
  for (TokenId id = 0; id < 257; ++id) EXPECT_FALSE(IsAllowed(mask, id)) << id;
  EXPECT_TRUE(IsAllowed(mask, 257));
}

// {"name": ..., "parameters": ...} as the whole answer.
TEST(CompileAnswer, CallsWithoutMarker) {
  AnswerShape shape;
  shape.calls.emplace();
  shape.calls->tools = {{Text("{\"name\": \"add\", \"parameters\": "), kAdd, Text("}")}};
  shape.calls->several = false;
  const Grammar grammar = Compile(shape);
  EXPECT_TRUE(Matches(grammar, ""));
  EXPECT_TRUE(Matches(grammar, "The set {1} is small."));
  EXPECT_TRUE(Matches(grammar, "{\"name\": \"add\", \"parameters\": {\"a\":1,\"b\":2}}"));
  EXPECT_FALSE(Matches(grammar, "{1}"));
  EXPECT_FALSE(Matches(grammar, "\n {\"name\": \"add\", \"parameters\": {}}"));
}

// White space and ids that some models write and others do not.
TEST(CompileAnswer, PatternsInMarkers) {
  AnswerShape shape;
  shape.calls.emplace();
  shape.calls->begin = {{false, "<call>"}, {false, "", "[ \n]{0,2}"}, {false, "["}};
  shape.calls->separator = {{false, "", ", ?"}};
  shape.calls->end = Text("]");
  shape.calls->tools = {
      {Text("{\"arguments\": "), kAdd, {{false, "", "(, \"id\": \"[a-z]+\")?"}, {false, "}"}}}};
  shape.calls->required = true;
  const std::string call = "{\"arguments\": {\"a\":1,\"b\":2}";
  const Grammar grammar = Compile(shape);
  EXPECT_TRUE(Matches(grammar, "<call>[" + call + "}]"));
  EXPECT_TRUE(Matches(grammar, "text<call> \n[" + call + ", \"id\": \"x\"}," + call + "}]"));
  EXPECT_FALSE(Matches(grammar, "<call>   [" + call + "}]"));
  EXPECT_FALSE(Matches(grammar, "<call>[" + call + ", \"id\": \"\"}]"));
  AnswerShape other = shape;
  other.calls->separator = {{false, ", ?"}};
  EXPECT_NE(KeyOf(other), KeyOf(shape));
}

TEST(CompileAnswer, CallsOrATextThatObeys) {
  AnswerShape shape;
  shape.calls = Tagged();
  shape.text = {TextRule::Kind::kJsonSchema, R"({"type":"integer"})", {}};
  const Grammar grammar = Compile(shape);
  EXPECT_TRUE(Matches(grammar, "42"));
  EXPECT_TRUE(Matches(grammar, kCall));
  EXPECT_FALSE(Matches(grammar, "x" + kCall));
  EXPECT_FALSE(Matches(grammar, "4" + kCall));
  EXPECT_FALSE(Matches(grammar, "text"));
  shape.calls->required = true;
  EXPECT_FALSE(Matches(Compile(shape), "42"));
}

TEST(CompileAnswer, ThoughtsFirst) {
  AnswerShape shape;
  shape.thoughts_end = Text("</think>");
  shape.text = {TextRule::Kind::kJsonSchema, R"({"type":"integer"})", {}};
  const Grammar begun = Compile(shape);
  EXPECT_TRUE(Matches(begun, "hm < </thin 12</think>\n\n42"));
  EXPECT_TRUE(Matches(begun, "</think>1"));
  EXPECT_FALSE(Matches(begun, "42"));
  EXPECT_FALSE(Matches(begun, "hm</think>forty-two"));
  shape.thoughts_begin = Text("<think>");
  const Grammar free = Compile(shape);
  EXPECT_TRUE(Matches(free, "42"));
  EXPECT_TRUE(Matches(free, "<think>hm</think>\n42"));
  EXPECT_FALSE(Matches(free, "<think>42"));
  shape.calls = Tagged();
  EXPECT_TRUE(Matches(Compile(shape), "<think>use <tool_call>?</think>\n" + kCall));
}

TEST(CompileAnswer, NamesTheToolWhoseSchemaIsRefused) {
  AnswerShape shape;
  shape.calls = Tagged();
  shape.calls->tools[1].parameters = R"({"multipleOf":2})";
  const auto grammar = CompileAnswer(shape);
  ASSERT_FALSE(grammar);
  EXPECT_EQ(grammar.error().message(), "tool 1: schema: 'multipleOf' is not supported");
  shape.calls->tools.clear();
  EXPECT_FALSE(CompileAnswer(shape));
}

TEST(CompileText, EveryKind) {
  using Kind = TextRule::Kind;
  EXPECT_TRUE(Matches(*CompileText({Kind::kFree, "", {}}), "any\nthing"));
  EXPECT_TRUE(Matches(*CompileText({Kind::kAnyObject, "", {}}), "{\"a\":[]}"));
  EXPECT_FALSE(Matches(*CompileText({Kind::kAnyObject, "", {}}), "[]"));
  EXPECT_TRUE(Matches(*CompileText({Kind::kJsonSchema, "{\"type\":\"null\"}", {}}), "null"));
  EXPECT_TRUE(Matches(*CompileText({Kind::kRegex, "a+", {}}), "aa"));
  EXPECT_TRUE(Matches(*CompileText({Kind::kEbnf, "root ::= \"x\"", {}}), "x"));
  EXPECT_TRUE(Matches(*CompileText({Kind::kChoice, "", {"a", "b"}}), "b"));
  EXPECT_FALSE(CompileText({Kind::kChoice, "", {}}));
}

TEST(KeyOf, DiffersWhereGrammarsDo) {
  AnswerShape shape;
  shape.calls = Tagged();
  const std::string key = KeyOf(shape);
  EXPECT_EQ(KeyOf(shape), key);
  AnswerShape other = shape;
  other.calls->tools[0].parameters += " ";
  EXPECT_NE(KeyOf(other), key);
  other = shape;
  other.calls->required = true;
  EXPECT_NE(KeyOf(other), key);
  other = shape;
  other.thoughts_end = Text("</think>");
  EXPECT_NE(KeyOf(other), key);
  using Kind = TextRule::Kind;
  EXPECT_NE(KeyOf(TextRule{Kind::kChoice, "", {"ab", "c"}}),
            KeyOf(TextRule{Kind::kChoice, "", {"a", "bc"}}));
  EXPECT_NE(KeyOf(TextRule{Kind::kRegex, "a", {}}), KeyOf(TextRule{Kind::kEbnf, "a", {}}));
}

}  // namespace
}  // namespace skerry::engine
