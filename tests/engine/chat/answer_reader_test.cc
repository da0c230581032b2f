#include "engine/chat/answer_reader.h"

#include <gtest/gtest.h>

namespace skerry::engine {
namespace {

// What a client gets: thoughts in braces, the text, then the calls as <name arguments>. `answer`
// has the notation's tokens between '\1' and '\2'.
std::string Read(const AnswerNotation& notation, std::string_view answer, size_t step,
                 bool cut = false) {
  const auto reader = MakeAnswerReader(notation);
  std::string thoughts;
  std::string text;
  std::string calls;
  const auto add = [&](AnswerReader::Step read) {
    thoughts += read.reasoning;
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
  if (!thoughts.empty()) thoughts = "{" + thoughts + "}";
  return thoughts + text + calls;
}

AnswerNotation Tools(ToolNotation notation, std::vector<OfferedTool> offered = {}) {
  AnswerNotation all;
  all.tools = notation;
  all.offered = std::move(offered);
  return all;
}

std::string Read(ToolNotation notation, std::string_view answer, size_t step, bool cut) {
  return Read(Tools(notation), answer, step, cut);
}

struct Case {
  std::string answer;
  std::string wanted;
};

void ExpectAll(const AnswerNotation& notation, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    for (const size_t step : {size_t{1}, size_t{2}, size_t{5}, size_t{1000}}) {
      EXPECT_EQ(Read(notation, c.answer, step), c.wanted) << step << ": " << c.answer;
    }
  }
}

void ExpectAll(ToolNotation notation, const std::vector<Case>& cases) {
  ExpectAll(Tools(notation, {{"f"}, {"g"}}), cases);
}

TEST(AnswerReader, WithoutANotationAllIsText) {
  ExpectAll(ToolNotation::kNone, {{"<tool_call>{}</tool_call>", "<tool_call>{}</tool_call>"}});
}

TEST(AnswerReader, MistralLists) {
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

TEST(AnswerReader, MistralNames) {
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

TEST(AnswerReader, HermesTags) {
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

TEST(AnswerReader, LlamaObjects) {
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

TEST(AnswerReader, AnythingIsAllowedWhereNoNamesAreGiven) {
  EXPECT_EQ(Read(ToolNotation::kLlama, R"({"name": "x"})", 3, false), "<x {}>");
}

TEST(AnswerReader, CallsAreKnownAsSoonAsTheirLastBrace) {
  for (const ToolNotation notation : {ToolNotation::kMistralList, ToolNotation::kMistralNamed,
                                      ToolNotation::kHermes, ToolNotation::kLlama}) {
    const auto reader = MakeAnswerReader(Tools(notation));
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

TEST(AnswerReader, UnfinishedCallsOfACutAnswerAreDropped) {
  const std::string mark = "\1[TOOL_CALLS]\2";
  EXPECT_EQ(Read(ToolNotation::kMistralList, "x" + mark + "[{\"na", 2, true), "x");
  EXPECT_EQ(Read(ToolNotation::kMistralNamed, "x" + mark + "f", 2, true), "x");
  EXPECT_EQ(Read(ToolNotation::kHermes, "x <tool_call>{", 2, true), "x");
  EXPECT_EQ(Read(ToolNotation::kHermes, "x <tool", 2, true), "x <tool");
  EXPECT_EQ(Read(ToolNotation::kLlama, "{\"na", 2, true), "");
}

TEST(AnswerReader, HasABound) {
  const std::string big(AnswerReader::kMaxBytes, 'x');
  for (const auto& [notation, begin] :
       {std::pair{ToolNotation::kMistralList,
                  "\1[TOOL_CALLS]\2[{\"name\":\"f\",\"arguments\":{\"a\":\""},
        {ToolNotation::kMistralNamed, "\1[TOOL_CALLS]\2f\1[ARGS]\2{\"a\":\""},
        {ToolNotation::kHermes, "<tool_call>{\"name\":\""},
        {ToolNotation::kLlama, "{\"name\":\""}}) {
    const std::string out = Read(notation, begin + big + "\"}}]", 1 << 16, false);
    EXPECT_GE(out.size(), big.size()) << ToolNotationName(notation);
    EXPECT_EQ(out.find('<' + std::string("f ")), std::string::npos);
  }
}

TEST(AnswerReader, QwenXml) {
  const OfferedTool f{"f", R"({"type": "object", "properties": {
      "s": {"type": "string"}, "n": {"type": "integer"}, "b": {"type": "boolean"},
      "o": {"type": "object"}, "a": {"type": ["array", "null"]}}})"};
  const std::string call =
      "<tool_call>\n<function=f>\n<parameter=s>\n12\n</parameter>\n"
      "<parameter=n>\n12\n</parameter>\n</function>\n</tool_call>";
  const std::string wanted = R"(<f {"s": "12", "n": 12}>)";
  ExpectAll(
      Tools(ToolNotation::kQwenXml, {f, {"g"}}),
      {{call, wanted},
       {"Let me see.\n" + call + "\n" + call + "\n", "Let me see." + wanted + wanted},
       {"\1<tool_call>\2\n<function=g>\n</function>\n\1</tool_call>\2 done", " done<g {}>"},
       // The outer tags may be missing.
       {"<function=g>\n</function>", "<g {}>"},
       {"ok <function=g></function>\n<function=f></function>", "ok<g {}><f {}>"},
       // Typed by the schema; text of several lines, and with tags of its own.
       {"<tool_call><function=f><parameter=b>True</parameter><parameter=o>{\"x\": [1.50]}"
        "</parameter><parameter=a>null</parameter><parameter=new>3</parameter></function>",
        R"(<f {"b": true, "o": {"x": [1.50]}, "a": null, "new": "3"}>)"},
       {"<tool_call><function=f><parameter=s>\n<a>\n</function> </parameter> \"\n\n</parameter>"
        "</function></tool_call>",
        R"(<f {"s": "<a>\n</function> </parameter> \"\n"}>)"},
       {"<tool_call><function=f><parameter=n>many</parameter></function>", R"(<f {"n": "many"}>)"},
       // Of two values of one key the later counts; a parameter's end may be missing.
       {"<tool_call><function=f><parameter=n>1</parameter><parameter=n>2</parameter></function>",
        R"(<f {"n": 2}>)"},
       {"<tool_call><function=f><parameter=s>x\n<parameter=n>2\n</function></tool_call>",
        R"(<f {"s": "x", "n": 2}>)"},
       // Broken text comes back.
       {"x <tool_call><function=h></function></tool_call>",
        "x <tool_call><function=h></function></tool_call>"},
       {"<tool_call>{\"name\": \"f\"}</tool_call>", "<tool_call>{\"name\": \"f\"}</tool_call>"},
       {"<tool_call><function=f><parameter=n>1", "<tool_call><function=f><parameter=n>1"},
       {"a < b <function <tool <<function", "a < b <function <tool <<function"}});
  EXPECT_EQ(Read(ToolNotation::kQwenXml, "x <tool_call><function=f>", 2, true), "x");
}

TEST(AnswerReader, GlmXml) {
  const OfferedTool f{"f", R"({"type": "object", "properties": {
      "s": {"type": "string"}, "n": {"type": "number"}}})"};
  const std::string call =
      "<tool_call>f\n<arg_key>s</arg_key>\n<arg_value>1\n</arg_value>\n"
      "<arg_key>n</arg_key>\n<arg_value>1</arg_value>\n</tool_call>";
  const std::string wanted = R"(<f {"s": "1\n", "n": 1}>)";
  ExpectAll(Tools(ToolNotation::kGlm, {f, {"g"}}),
            {{call, wanted},
             {"\n" + call + call, wanted + wanted},
             {"<tool_call>g</tool_call> done", " done<g {}>"},
             {"<tool_call>g<arg_key>x</arg_key><arg_value>[1, {\"y\": null}]</arg_value>"
              "</tool_call>",
              R"(<g {"x": [1, {"y": null}]}>)"},
             {"<tool_call>f<arg_key>s</arg_key><arg_value></tool_call></arg_value> </arg_value>"
              "</tool_call>",
              R"(<f {"s": "</tool_call></arg_value> "}>)"},
             // Broken text comes back.
             {"<tool_call>h</tool_call>", "<tool_call>h</tool_call>"},
             {"<tool_call>f<arg_key>s</arg_key></arg_value></tool_call>",
              "<tool_call>f<arg_key>s</arg_key></arg_value></tool_call>"},
             {"<tool_call>f<arg_key>s", "<tool_call>f<arg_key>s"}});
  EXPECT_EQ(Read(ToolNotation::kGlm, "x <tool_call>f", 2, true), "x");
}

AnswerNotation Thinking(bool by_token, bool inside = false,
                        ToolNotation tools = ToolNotation::kNone) {
  AnswerNotation all = Tools(tools, {{"f"}});
  all.reasoning = ReasoningNotation::kThink;
  all.reasoning_by_token = by_token;
  all.starts_inside = inside;
  return all;
}

TEST(AnswerReader, ThoughtsBetweenTokens) {
  const std::string begin = "\1<think>\2";
  const std::string end = "\1</think>\2";
  ExpectAll(Thinking(true),
            {{begin + "\nHm.\n\nSo.\n" + end + "\n\nYes.\n", "{Hm.\n\nSo.}Yes.\n"},
             {"\n" + begin + "a" + end + "b", "{a}b"},
             {begin + "\n\n" + end + "\n\nYes", "Yes"},
             {begin + end, ""},
             {"  Yes  ", "  Yes  "},
             {"Yes" + begin + "a" + end + " b " + begin + "c" + end, "{a\n\nc}Yesb "},
             {begin + "never ended  ", "{never ended}"},
             {end + "x" + end + " y", "x y"},
             // Text that looks like them is text.
             {"<think>a</think>b", "<think>a</think>b"},
             {begin + "a</think>b" + end + "c</think>", "{a</think>b}c</think>"},
             {"   ", "   "}});
}

TEST(AnswerReader, ThoughtsBetweenTags) {
  ExpectAll(Thinking(false), {{"<think>\nHm.\n\nSo.\n</think>\n\nYes.\n", "{Hm.\n\nSo.}Yes.\n"},
                              {"\n<think>a</think>b", "{a}b"},
                              {"<think></think>Yes", "Yes"},
                              {"<think>a </thi </ <</think>b", "{a </thi </ <}b"},
                              {"<think>a </thin", "{a </thin}"},
                              {"<think", "<think"},
                              {" <thin ", " <thin "},
                              // In front of the answer only: behind it they are what is said.
                              {"Say <think>a</think>", "Say <think>a</think>"},
                              {"<think>a</think>b <think>c</think>", "{a}b <think>c</think>"},
                              {"</think>x", "</think>x"}});
}

TEST(AnswerReader, ThoughtsBegunByThePrompt) {
  ExpectAll(Thinking(true, true), {{"Hm.\n\1</think>\2\n\nYes", "{Hm.}Yes"},
                                   {"\1<think>\2Hm.\1</think>\2Yes", "{Hm.}Yes"},
                                   {"only thoughts", "{only thoughts}"}});
  ExpectAll(Thinking(false, true), {{"Hm.\n</think>\n\nYes", "{Hm.}Yes"}, {"a < b", "{a < b}"}});
}

TEST(AnswerReader, CallsBehindThoughts) {
  const std::string call = R"({"name": "f", "arguments": {}})";
  ExpectAll(Thinking(true, true, ToolNotation::kHermes),
            {{"Hm.\1</think>\2\n<tool_call>" + call + "</tool_call>", "{Hm.}<f {}>"},
             // A call in thoughts is one that is thought about, unless a token begins it.
             {"Or <tool_call>" + call + "\1</think>\2Yes", "{Or <tool_call>" + call + "}Yes"},
             {"Hm.\n\1<tool_call>\2" + call + "\1</tool_call>\2", "{Hm.}<f {}>"}});
  AnswerNotation mistral = Tools(ToolNotation::kMistralNamed, {{"f"}});
  mistral.reasoning = ReasoningNotation::kMistral;
  mistral.reasoning_by_token = true;
  ExpectAll(mistral,
            {{"\1[THINK]\2Hm.\1[/THINK]\2Yes\1[TOOL_CALLS]\2f\1[ARGS]\2{}", "{Hm.}Yes<f {}>"},
             {"\1[THINK]\2Hm.\1[TOOL_CALLS]\2f\1[ARGS]\2{}", "{Hm.}<f {}>"}});
}

TEST(AnswerReader, ACutAnswerKeepsItsThoughts) {
  for (const size_t step : {size_t{1}, size_t{100}}) {
    EXPECT_EQ(Read(Thinking(true, true), "I was just ", step, true), "{I was just}");
    EXPECT_EQ(Read(Thinking(false), "<think>so </th", step, true), "{so </th}");
    EXPECT_EQ(Read(Thinking(false), "<thi", step, true), "<thi");
  }
}

TEST(AnswerReader, LongWhiteSpaceIsNotHeldWithoutBound) {
  const std::string space(1 << 16, ' ');
  const auto reader = MakeAnswerReader(Thinking(true));
  EXPECT_GT(reader->Push(space).text.size(), space.size() / 2);
  const auto inside = MakeAnswerReader(Thinking(true, true));
  inside->Push("a");
  EXPECT_GT(inside->Push(space).reasoning.size(), space.size() / 2);
}

AnswerNotation Harmony(bool tools = true) {
  AnswerNotation all =
      Tools(tools ? ToolNotation::kHarmony : ToolNotation::kNone, {{"f"}, {"get-it"}});
  all.reasoning = ReasoningNotation::kHarmony;
  all.reasoning_by_token = true;
  return all;
}

// <c>analysis<m>x<e><s>assistant... with the names of the tokens in full.
std::string Channels(std::string_view shorthand) {
  std::string full;
  for (size_t i = 0; i < shorthand.size(); ++i) {
    static constexpr std::string_view kShort = "csmek";
    static constexpr const char* kLong[] = {"<|channel|>", "<|start|>", "<|message|>", "<|end|>",
                                            "<|constrain|>"};
    const bool mark = shorthand.substr(i).size() > 2 && shorthand[i] == '<' &&
                      shorthand[i + 2] == '>' && kShort.find(shorthand[i + 1]) != kShort.npos;
    if (!mark) {
      full += shorthand[i];
      continue;
    }
    full += std::string("\1") + kLong[kShort.find(shorthand[i + 1])] + "\2";
    i += 2;
  }
  return full;
}

void ExpectChannels(const AnswerNotation& notation, std::vector<Case> cases) {
  for (Case& c : cases) c.answer = Channels(c.answer);
  ExpectAll(notation, cases);
}

TEST(AnswerReader, HarmonyChannels) {
  ExpectChannels(
      Harmony(false),
      {{"<c>analysis<m>Hm. <e><s>assistant<c>final<m> Yes.", "{Hm. } Yes."},
       {"<c>final<m>Yes<e>", "Yes"},
       {"<c>analysis<m>a<e><s>assistant<c>analysis<m>b<e><s>assistant<c>final<m>c", "{a\n\nb}c"},
       {"<c>commentary<m>I will look.<e><s>assistant<c>final<m>Done.", "I will look.\n\nDone."},
       {"<c>analysis<m>never ended", "{never ended}"},
       {"<c>analysis<m>a<c>final<m>b", "{a}b"},
       {"<c>analysis", ""},
       {"<s>assistant<c>final<m>Yes", "Yes"},
       // What is no message of its own, or said for others.
       {"Yes, without channels.", "Yes, without channels."},
       {"  to", ""},
       {" to be", "to be"},
       {"<c>final<m>Yes<e><s>user<m>Really?<e><s>assistant<c>final<m>!", "Yes\n\n!"},
       {"<c>final<m>a <m>b<k>c", "a bc"},
       {"<c>odd<m>text", "text"},
       // Without tools on offer nothing is a call.
       {"<c>commentary to=functions.f <k>json<m>{}", "{}"},
       {"<c>analysis to=python code<m>print(1)", "{print(1)}"},
       // Text that looks like the tokens is text.
       {"<c>final<m><|end|><|channel|>analysis", "<|end|><|channel|>analysis"}});
  AnswerNotation whole = Harmony(false);
  whole.split_reasoning = false;
  ExpectChannels(whole, {{"<c>analysis<m>a<e><s>assistant<c>final<m>b", "a\n\nb"}});
}

TEST(AnswerReader, HarmonyCalls) {
  ExpectChannels(
      Harmony(),
      {{"<c>analysis<m>Hm.<e><s>assistant<c>commentary to=functions.f <k>json<m>{\"a\": \"}\"}",
        "{Hm.}<f {\"a\": \"}\"}>"},
       {" to=functions.get-it<c>commentary json<m>{}", "<get-it {}>"},
       {"<c>commentary to=f<m> {\"a\":1} ", "<f {\"a\":1}>"},
       {"<s>assistant to=functions.f<c>analysis<m>", "<f {}>"},
       {"<c>commentary to=functions.f<m>{}<e><s>assistant<c>commentary to=functions.f<m>{\"b\":2}",
        "<f {}><f {\"b\":2}>"},
       // Broken text comes back, as do names that nobody offered.
       {"<c>commentary to=functions.h<m>{\"a\":1}", "{\"a\":1}"},
       {"<c>commentary to=functions.f<m>{\"a\":", "{\"a\":"},
       {"<c>commentary to=functions.f<m>{\"a\":} x", "{\"a\":} x"},
       {"<c>commentary to=functions.f<m>[1]", "[1]"},
       {"<c>commentary to=functions.<m>{}", "{}"},
       {"<s>functions.f to=assistant<c>commentary<m>42<e>", ""}});
  EXPECT_EQ(Read(Harmony(), Channels("<c>commentary to=functions.f<m>{\"a"), 2, true), "");
  EXPECT_EQ(Read(Harmony(), Channels("<c>commentary to=functions.f<m>{}"), 2, true), "<f {}>");
}

TEST(AnswerReader, MarkTokensAreThoseOfBothNotations) {
  EXPECT_EQ(MarkTokens(Thinking(true, false, ToolNotation::kMistralList)),
            (std::vector<std::string_view>{"[TOOL_CALLS]", "<think>", "</think>"}));
  EXPECT_TRUE(MarkTokens(Thinking(false)).empty());
}

}  // namespace
}  // namespace skerry::engine
