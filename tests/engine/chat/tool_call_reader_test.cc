#include "engine/chat/tool_call_reader.h"

#include <gtest/gtest.h>

namespace skerry::engine {
namespace {

// What a client gets: the texts, then the calls as <name arguments>. `answer` has control tokens
// between '\1' and '\2'.
std::string Read(ToolNotation notation, std::string_view answer, size_t step,
                 std::vector<std::string> offered = {}, bool cut = false) {
  const auto reader = MakeToolCallReader(notation, std::move(offered));
  std::string text;
  std::string calls;
  const auto add = [&](ToolCallReader::Step read) {
    text += read.text;
    for (const ToolCall& call : read.calls) calls += "<" + call.name + " " + call.arguments + ">";
  };
  while (!answer.empty()) {
    if (answer[0] == '\1') {
      const size_t end = answer.find('\2');
      add(reader->Mark(answer.substr(1, end - 1)));
      answer.remove_prefix(end + 1);
      continue;
    }
    const size_t n = std::min(step, answer.find('\1'));
    add(reader->Push(answer.substr(0, n)));
    answer.remove_prefix(std::min(n, answer.size()));
  }
  add(reader->Finish(cut));
  return text + calls;
}

struct Case {
  std::string answer;
  std::string wanted;
};

void ExpectAll(ToolNotation notation, const std::vector<Case>& cases,
               const std::vector<std::string>& offered = {"f", "g"}) {
  for (const Case& c : cases) {
    for (const size_t step : {size_t{1}, size_t{2}, size_t{5}, size_t{1000}}) {
      EXPECT_EQ(Read(notation, c.answer, step, offered), c.wanted) << step << ": " << c.answer;
    }
  }
}

TEST(ToolCallReader, WithoutANotationAllIsText) {
  ExpectAll(ToolNotation::kNone, {{"<tool_call>{}</tool_call>", "<tool_call>{}</tool_call>"}});
}

TEST(ToolCallReader, MistralLists) {
  const std::string mark = "\1[TOOL_CALLS]\2";
  ExpectAll(
      ToolNotation::kMistralList,
      {{"Hi [{\"name\": \"f\"}]", "Hi [{\"name\": \"f\"}]"},
       {"Hi" + mark +
            R"( [{"name": "f", "arguments": {"a": "}]\"{", "b": [1, {}]}, "id": "x"}, {"name":"g"}])",
        R"(Hi<f {"a": "}]\"{", "b": [1, {}]}><g {}>)"},
       {mark + R"([{"name":"f","arguments":"{\"a\": 1}"}])", R"(<f {"a": 1}>)"},
       {mark + R"([{"name":"f","arguments":{}}])" + mark + R"([{"name":"g","arguments":{}}])",
        "<f {}><g {}>"},
       {mark + R"([{"name":"f","arguments":{}})", "<f {}>"},
       // Broken text comes back, as do names that nobody offered.
       {mark + "hello", "hello"},
       {mark + "[1]", "[1]"},
       {mark + R"([{"name":"f","arguments":3}])", R"([{"name":"f","arguments":3}])"},
       {mark + R"([{"arguments":{}}])", R"([{"arguments":{}}])"},
       {mark + R"([{"name":"f","arguments":"no"}])", R"([{"name":"f","arguments":"no"}])"},
       {mark + R"([{"name":"f",}])", R"([{"name":"f",}])"},
       {mark + R"([{"name":"","arguments":{}}])", R"([{"name":"","arguments":{}}])"},
       {mark + R"([{"name":"f","argu)", R"([{"name":"f","argu)"},
       {mark + R"([{"name":"h","arguments":{}}])", R"([{"name":"h","arguments":{}}])"},
       {mark + R"([{"name":"f","arguments":{}}, {"name":"h","arguments":{}}])",
        R"(, {"name":"h","arguments":{}}]<f {}>)"}});
}

TEST(ToolCallReader, MistralNames) {
  const std::string mark = "\1[TOOL_CALLS]\2";
  const std::string args = "\1[ARGS]\2";
  ExpectAll(ToolNotation::kMistralNamed,
            {{"Hi" + mark + "f" + args + R"({"a": "}"})" + mark + "g" + args + "{}",
              R"(Hi<f {"a": "}"}><g {}>)"},
             {mark + "f\1[CALL_ID]\2abcdefghi" + args + "{}", "<f {}>"},
             {mark + " f " + args + " {\"a\":1} ", "<f {\"a\":1}>"},
             {mark + "f{\"a\":1}", "<f {\"a\":1}>"},  // the token between may be missing
             {mark + "f" + args + "{} and more", "and more<f {}>"},
             {"[ARGS]" + args + "x", "[ARGS]x"},
             // Broken text comes back.
             {mark + "h" + args + "{}", "h{}"},
             {mark + "f" + args + "[1]", "f[1]"},
             {mark + "f" + args + "{\"a\":}", "f{\"a\":}"},
             {mark + "f" + args + "{\"a\"", "f{\"a\""},
             {mark + args + "{}", "{}"},
             {mark + "just text", "just text"},
             {mark + "f" + mark + "g" + args + "{}", "f<g {}>"}});
}

TEST(ToolCallReader, HermesTags) {
  const std::string call = R"(<tool_call>
{"name": "f", "arguments": {"a": "</tool_call>"}}
</tool_call>)";
  ExpectAll(
      ToolNotation::kHermes,
      {{call, R"(<f {"a": "</tool_call>"}>)"},
       {"Let me see.\n" + call + "\n" + call + "\n",
        R"(Let me see.<f {"a": "</tool_call>"}><f {"a": "</tool_call>"}>)"},
       {R"(<tool_call>{"name":"g"}</tool_call> done)", " done<g {}>"},
       {R"(<tool_call>{"name":"g"})", "<g {}>"},  // the closing tag may be missing
       {R"(<tool_call>{"name":"g"}<tool_call>{"name":"f"}</tool_call>)", "<g {}><f {}>"},
       {"\1<tool_call>\2{\"name\":\"g\"}\1</tool_call>\2", "<g {}>"},
       {"a < b <tool> <<tool_call", "a < b <tool> <<tool_call"},
       {"one \n\n two  ", "one \n\n two  "},
       // Broken text comes back.
       {"x <tool_call>{\"name\": \"h\"}</tool_call>", "x <tool_call>{\"name\": \"h\"}</tool_call>"},
       {"<tool_call>\nf(1)\n</tool_call>", "<tool_call>\nf(1)\n</tool_call>"},
       {"<tool_call>{\"name\": }</tool_call>", "<tool_call>{\"name\": }</tool_call>"},
       {"<tool_call>{\"name\"", "<tool_call>{\"name\""}});
}

TEST(ToolCallReader, LlamaObjects) {
  ExpectAll(
      ToolNotation::kLlama,
      {{R"({"name": "f", "parameters": {"a": 1.0}})", R"(<f {"a": 1.0}>)"},
       {R"( {"name": "f", "arguments": {}}; {"name": "g", "parameters": {}} )", "<f {}><g {}>"},
       {"\1<|python_tag|>\2{\"name\": \"f\", \"parameters\": {}}", "<f {}>"},
       {"Sure \1<|python_tag|>\2{\"name\": \"f\", \"parameters\": {}}", "Sure <f {}>"},
       // Everything else is the answer itself.
       {R"({"name": "Ada", "age": 36})", R"({"name": "Ada", "age": 36})"},
       {R"({"a": 1} {"name": "f"})", R"({"a": 1} {"name": "f"})"},
       {R"(It is {"name": "f", "parameters": {}})", R"(It is {"name": "f", "parameters": {}})"},
       {R"({"name": "f")", R"({"name": "f")"},
       {"  ", "  "},
       {R"({"name": "f"} and)", " and<f {}>"}});
}

TEST(ToolCallReader, AnythingIsAllowedWhereNoNamesAreGiven) {
  EXPECT_EQ(Read(ToolNotation::kLlama, R"({"name": "x"})", 3), "<x {}>");
}

TEST(ToolCallReader, CallsAreKnownAsSoonAsTheirLastBrace) {
  for (const ToolNotation notation : {ToolNotation::kMistralList, ToolNotation::kMistralNamed,
                                      ToolNotation::kHermes, ToolNotation::kLlama}) {
    const auto reader = MakeToolCallReader(notation, {});
    std::string text = R"({"name":"f","arguments":{"a":{})";
    if (notation == ToolNotation::kMistralList) text.insert(0, "[");
    if (notation == ToolNotation::kMistralNamed) text = "f{\"a\":{";
    if (notation == ToolNotation::kHermes) text.insert(0, "<tool_call>");
    if (!NotationTokens(notation).empty() && notation != ToolNotation::kHermes) {
      reader->Mark(NotationTokens(notation)[0]);
    }
    EXPECT_TRUE(reader->Push(text).calls.empty());
    EXPECT_EQ(reader->Push("}}}").calls.size(), 1u) << ToolNotationName(notation);
  }
}

TEST(ToolCallReader, UnfinishedCallsOfACutAnswerAreDropped) {
  const std::string mark = "\1[TOOL_CALLS]\2";
  EXPECT_EQ(Read(ToolNotation::kMistralList, "x" + mark + "[{\"na", 2, {}, true), "x");
  EXPECT_EQ(Read(ToolNotation::kMistralNamed, "x" + mark + "f", 2, {}, true), "x");
  EXPECT_EQ(Read(ToolNotation::kHermes, "x <tool_call>{", 2, {}, true), "x");
  EXPECT_EQ(Read(ToolNotation::kHermes, "x <tool", 2, {}, true), "x <tool");
  EXPECT_EQ(Read(ToolNotation::kLlama, "{\"na", 2, {}, true), "");
}

TEST(ToolCallReader, HasABound) {
  const std::string big(ToolCallReader::kMaxBytes, 'x');
  for (const auto& [notation, begin] :
       {std::pair{ToolNotation::kMistralList,
                  "\1[TOOL_CALLS]\2[{\"name\":\"f\",\"arguments\":{\"a\":\""},
        {ToolNotation::kMistralNamed, "\1[TOOL_CALLS]\2f\1[ARGS]\2{\"a\":\""},
        {ToolNotation::kHermes, "<tool_call>{\"name\":\""},
        {ToolNotation::kLlama, "{\"name\":\""}}) {
    const std::string out = Read(notation, begin + big + "\"}}]", 1 << 16);
    EXPECT_GE(out.size(), big.size()) << ToolNotationName(notation);
    EXPECT_EQ(out.find('<' + std::string("f ")), std::string::npos);
  }
}

TEST(ToolNotation, IsRecognisedByTheTemplate) {
  struct Recognised {
    const char* text;
    ToolNotation wanted;
  };
  const Recognised cases[] = {
      {"[TOOL_CALLS]", ToolNotation::kNone},
      {"tools [TOOL_CALLS]", ToolNotation::kMistralList},
      {"tools [TOOL_CALLS] [ARGS]", ToolNotation::kMistralNamed},
      {"tools <tool_call> {\"name\"", ToolNotation::kHermes},
      {"tools <tool_call> <function= {\"name\"", ToolNotation::kNone},
      {"tools <|start_header_id|> {\"name\": .., \"parameters\"", ToolNotation::kLlama},
      {"tools <|start_header_id|>", ToolNotation::kNone},
      {"<|im_start|>", ToolNotation::kNone},
  };
  for (const Recognised& c : cases) EXPECT_EQ(RecognizeNotation(c.text), c.wanted) << c.text;
}

}  // namespace
}  // namespace skerry::engine
