#include "engine/api/request.h"

#include <gtest/gtest.h>

namespace skerry::engine {
namespace {

using ToolChoice = ChatRequest::ToolChoice;

ChatRequest Chat(std::string_view body) {
  Parsed<ChatRequest> parsed = ParseChatRequest(body, {});
  const auto* error = std::get_if<http::ApiError>(&parsed);
  EXPECT_EQ(error, nullptr) << error->message;
  return error == nullptr ? std::get<ChatRequest>(std::move(parsed)) : ChatRequest();
}

// `rest` follows a good message list.
std::string With(std::string_view rest) {
  return R"({"messages":[{"role":"user","content":"hi"}])" + std::string(rest) + "}";
}

TEST(ChatRequest, Defaults) {
  SamplingDefaults defaults;
  defaults.temperature = 0.6;
  defaults.top_k = 7;
  const auto parsed = ParseChatRequest(With(""), defaults);
  const auto& request = std::get<ChatRequest>(parsed);
  EXPECT_FALSE(request.stream);
  EXPECT_FALSE(request.max_tokens);
  EXPECT_FALSE(request.seed);
  EXPECT_EQ(request.sampling.temperature, 0.6);
  EXPECT_EQ(request.sampling.top_k, 7);
  EXPECT_EQ(request.model, "");
  ASSERT_EQ(request.messages.size(), 1u);
  EXPECT_EQ(request.messages[0].content, "hi");
}

TEST(ChatRequest, ReadsWhatClientsSend) {
  const ChatRequest request = Chat(R"({
    "messages":[{"role":"developer","content":"D"},
      {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"name":"me"},
      {"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function",
        "function":{"name":"f","arguments":"{\"x\":1}"}}],"refusal":null},
      {"role":"tool","tool_call_id":"call_1","content":"22"},
      {"role":"assistant","content":"","tool_calls":[]}],
    "stop":null,"temperature":0.1,"tool_choice":"auto","top_p":0.9,"max_tokens":5,
    "max_completion_tokens":512,"model":"M","n":1,"stream":true,"seed":-3,
    "stream_options":{"include_usage":true},"user":"u","reasoning_effort":"low","store":false,
    "logit_bias":{},"logprobs":false,"response_format":{"type":"text"},"metadata":{"a":1}})");
  EXPECT_EQ(request.messages[0].role, Role::kSystem);
  EXPECT_EQ(request.messages[1].content, "ab");
  EXPECT_EQ(request.messages[2].tool_calls[0].arguments, "{\"x\":1}");
  EXPECT_EQ(request.messages[3].tool_call_id, "call_1");
  EXPECT_EQ(request.max_tokens, 512);
  EXPECT_TRUE(request.stream);
  EXPECT_EQ(request.seed, static_cast<uint64_t>(-3));
  EXPECT_EQ(request.tool_choice, ToolChoice::kNone);  // without tools it has no meaning
  EXPECT_EQ(Chat(With(R"(,"stop":"x")")).stop, std::vector<std::string>{"x"});
  EXPECT_EQ(Chat(With(R"(,"stop":["x","y"])")).stop.size(), 2u);
  EXPECT_EQ(Chat(With(R"(,"top_p":0)")).sampling.temperature, 0);
}

TEST(ChatRequest, ToolsKeepTheClientsSpelling) {
  const ChatRequest request = Chat(With(
      R"(,"tools":[{"function":{"parameters":{"type":"object","properties":{"z":1.50,"a":{}}},
         "name":"f","strict":true},"type":"function"}],"parallel_tool_calls":false)"));
  ASSERT_EQ(request.tools.size(), 1u);
  EXPECT_EQ(request.tools[0].parameters, R"({"type":"object","properties":{"z":1.50,"a":{}}})");
  EXPECT_EQ(request.tools[0].json,
            R"({"function":{"parameters":{"type":"object","properties":{"z":1.50,"a":{}}},
         "name":"f","strict":true},"type":"function"})");
  EXPECT_EQ(request.tool_choice, ToolChoice::kAuto);
  EXPECT_FALSE(request.parallel_tool_calls);
}

TEST(ChatRequest, ArgumentsThatAreObjectsKeepTheClientsSpelling) {
  const ChatRequest request = Chat(R"({"reasoning_effort":"low","messages":[
      {"role":"user","content":"q"},
      {"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[
        {"id":"1","function":{"name":"f","arguments":{"z":1.50,"a":1}}},
        {"id":"2","function":{"arguments":{"b" : [ ]},"name":"g"}}]},
      {"role":"assistant","content":""}]})");
  EXPECT_EQ(request.reasoning_effort, "low");
  const Message& calls = request.messages[1];
  EXPECT_FALSE(calls.has_content);
  EXPECT_TRUE(request.messages[2].has_content);
  EXPECT_EQ(calls.reasoning, "hm");
  EXPECT_EQ(calls.tool_calls[0].arguments, R"({"z":1.50,"a":1})");
  EXPECT_EQ(calls.tool_calls[1].arguments, R"({"b" : [ ]})");
}

// A text that is not cut into as many tools as the document has must never be indexed by it.
TEST(ChatRequest, ToolsBehindAByteOrderMarkAreRefused) {
  for (const std::string list :
       {R"("tools":[{"type":"function","function":{"name":"f","parameters":{"x":1}}}])",
        R"("functions":[{"name":"f","parameters":{"x":1}}])"}) {
    const std::string body = "\xEF\xBB\xBF" + With("," + list);
    const auto parsed = ParseChatRequest(body, {});
    ASSERT_TRUE(std::holds_alternative<http::ApiError>(parsed)) << list;
    EXPECT_EQ(std::get<http::ApiError>(parsed).status, 400);
  }
}

// The same for the second place where the parsers of a body may differ: bytes behind its end.
TEST(ChatRequest, ToolsBeforeBytesBehindTheBodyAreRefused) {
  const std::string tools =
      R"(,"tools":[{"type":"function","function":{"name":"f","parameters":{"x":1}}}])";
  for (const std::string& end : {std::string(1, '\0'), std::string("\0}]", 3)}) {
    const auto parsed = ParseChatRequest(With(tools) + end, {});
    ASSERT_TRUE(std::holds_alternative<http::ApiError>(parsed));
    EXPECT_EQ(std::get<http::ApiError>(parsed).status, 400);
  }
}

std::string Messages(size_t n, const std::string& message) {
  std::string body = "{\"messages\":[" + message;
  for (size_t i = 1; i < n; ++i) body += "," + message;
  return body + "]}";
}

TEST(ChatRequest, MessagesAreBounded) {
  const std::string message = R"({"role":"tool"})";
  EXPECT_EQ(Chat(Messages(kMaxMessages, message)).messages.size(), kMaxMessages);
  const auto parsed = ParseChatRequest(Messages(kMaxMessages + 1, message), {});
  const auto* error = std::get_if<http::ApiError>(&parsed);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->status, 400);
  EXPECT_EQ(error->param, "messages");
  EXPECT_EQ(error->code, "invalid_value");
}

TEST(ChatRequest, StopStringsAreBounded) {
  const std::string longest(kMaxStopBytes, 's');
  EXPECT_EQ(Chat(With(",\"stop\":\"" + longest + "\"")).stop[0], longest);
  for (const std::string& stop : {"\"" + longest + "s\"", "[\"a\",\"" + longest + "s\"]"}) {
    const auto parsed = ParseChatRequest(With(",\"stop\":" + stop), {});
    ASSERT_TRUE(std::holds_alternative<http::ApiError>(parsed));
    EXPECT_EQ(std::get<http::ApiError>(parsed).param, "stop");
  }
}

TEST(ChatRequest, ToolChoices) {
  const std::string tools = R"(,"tools":[{"type":"function","function":{"name":"f"}}])";
  EXPECT_EQ(Chat(With(tools + R"(,"tool_choice":"none")")).tool_choice, ToolChoice::kNone);
  EXPECT_EQ(Chat(With(tools + R"(,"tool_choice":"required")")).tool_choice, ToolChoice::kRequired);
  const ChatRequest named =
      Chat(With(tools + R"(,"tool_choice":{"type":"function","function":{"name":"f"}})"));
  EXPECT_EQ(named.tool_choice, ToolChoice::kNamed);
  EXPECT_EQ(named.tool_name, "f");
  // Without tools even nonsense is ignored.
  EXPECT_EQ(Chat(With(R"(,"tool_choice":{"x":1})")).tool_choice, ToolChoice::kNone);
  EXPECT_EQ(Chat(With(R"(,"tools":null,"tool_choice":"required")")).tool_choice, ToolChoice::kNone);
  const ChatRequest legacy = Chat(
      With(R"(,"functions":[{"name":"g","parameters":{"$schema":"x"}}],"function_call":"auto")"));
  EXPECT_TRUE(legacy.legacy_functions);
  EXPECT_EQ(legacy.tools[0].name, "g");
  EXPECT_EQ(legacy.tools[0].parameters, R"({"$schema":"x"})");
  EXPECT_TRUE(legacy.tools[0].json.starts_with(R"({"type": "function", "function": {"name":"g")"))
      << legacy.tools[0].json;
}

TEST(ChatRequest, LegacyFunctionTurns) {
  const ChatRequest request = Chat(R"({"messages":[{"role":"user","content":"q"},
    {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
    {"role":"function","name":"f","content":"1"}]})");
  ASSERT_EQ(request.messages[1].tool_calls.size(), 1u);
  EXPECT_EQ(request.messages[1].tool_calls[0].id, request.messages[2].tool_call_id);
}

TEST(ChatRequest, RefusalsNameTheField) {
  struct Case {
    std::string body;
    std::string param;
    std::string code;
  };
  const std::string tools = R"(,"tools":[{"type":"function","function":{"name":"f"}}])";
  const Case cases[] = {
      {"", "", "invalid_json"},
      {"[]", "", "invalid_json"},
      {R"({"messages":[],"messages":[]})", "", "invalid_json"},
      {"{}", "messages", "missing_required_parameter"},
      {R"({"messages":[]})", "messages", "missing_required_parameter"},
      {R"({"messages":"hi"})", "messages", "invalid_type"},
      {R"({"messages":[1]})", "messages[0]", "invalid_type"},
      {R"({"messages":[{"content":"x"}]})", "messages[0].role", "invalid_value"},
      {R"({"messages":[{"role":"robot","content":"x"}]})", "messages[0].role", "invalid_value"},
      {R"({"messages":[{"role":"user"}]})", "messages[0].content", "missing_required_parameter"},
      {R"({"messages":[{"role":"user","content":5}]})", "messages[0].content", "invalid_type"},
      {R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:"}}]}]})",
       "messages[0].content[0].type", "unsupported_content"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"id":"x"}]}]})",
       "messages[0].tool_calls[0].function", "missing_required_parameter"},
      {With(R"(,"stream":"yes")"), "stream", "invalid_type"},
      {With(R"(,"temperature":"hot")"), "temperature", "invalid_type"},
      {With(R"(,"temperature":2.5)"), "temperature", "invalid_value"},
      {With(R"(,"temperature":-1)"), "temperature", "invalid_value"},
      {With(R"(,"top_p":1.5)"), "top_p", "invalid_value"},
      {With(R"(,"max_tokens":0)"), "max_tokens", "invalid_value"},
      {With(R"(,"max_tokens":1.5)"), "max_tokens", "invalid_type"},
      {With(R"(,"max_completion_tokens":-4)"), "max_completion_tokens", "invalid_value"},
      {With(R"(,"seed":18446744073709551615)"), "seed", "invalid_value"},
      {With(R"(,"n":17)"), "n", "invalid_value"},
      {With(R"(,"n":0)"), "n", "invalid_value"},
      {With(R"(,"best_of":2)"), "best_of", "unsupported_value"},
      {With(R"(,"logprobs":3)"), "logprobs", "invalid_type"},
      {With(R"(,"top_logprobs":3)"), "top_logprobs", "invalid_value"},
      {With(R"(,"logprobs":true,"top_logprobs":21)"), "top_logprobs", "invalid_value"},
      {With(R"(,"prompt_logprobs":1,"stream":true)"), "prompt_logprobs", "unsupported_value"},
      {With(R"(,"logit_bias":{"x":1})"), "logit_bias", "invalid_value"},
      {With(R"(,"logit_bias":{"5":101})"), "logit_bias", "invalid_value"},
      {With(R"(,"logit_bias":{"5":"1"})"), "logit_bias", "invalid_value"},
      {With(R"(,"bad_words":[""])"), "bad_words", "invalid_value"},
      {With(R"(,"bad_words":"x")"), "bad_words", "invalid_type"},
      {With(R"(,"stop_token_ids":[-1])"), "stop_token_ids", "invalid_value"},
      {With(R"(,"priority":-1)"), "priority", "invalid_value"},
      {With(R"(,"min_p":1.5)"), "min_p", "invalid_value"},
      {With(R"(,"typical_p":0)"), "typical_p", "invalid_value"},
      {With(R"(,"repetition_penalty":0)"), "repetition_penalty", "invalid_value"},
      {With(R"(,"cache_salt":7)"), "cache_salt", "invalid_type"},
      {With(R"(,"response_format":{"type":"structural_tag"})"), "response_format.type",
       "unsupported_value"},
      {With(R"(,"response_format":"json")"), "response_format", "invalid_type"},
      {With(R"(,"response_format":{"type":"json_schema"})"), "response_format.json_schema",
       "missing_required_parameter"},
      {With(R"(,"response_format":{"type":"json_schema","json_schema":{"name":"x"}})"),
       "response_format.json_schema.schema", "missing_required_parameter"},
      {With(R"(,"response_format":{"type":"json_schema","json_schema":{"schema":"x"}})"),
       "response_format.json_schema.schema", "invalid_type"},
      {With(R"(,"structured_outputs":{})"), "structured_outputs", "invalid_value"},
      {With(R"(,"structured_outputs":{"regex":"a","choice":["a"]})"), "structured_outputs.choice",
       "invalid_value"},
      {With(R"(,"structured_outputs":{"regex":"a","whitespace_pattern":" "})"),
       "structured_outputs.whitespace_pattern", "unsupported_value"},
      {With(R"(,"structured_outputs":{"structural_tag":"{}"})"),
       "structured_outputs.structural_tag", "unsupported_value"},
      {With(R"(,"guided_choice":[])"), "guided_choice", "invalid_value"},
      {With(R"(,"guided_choice":[1])"), "guided_choice", "invalid_type"},
      {With(R"(,"guided_regex":5)"), "guided_regex", "invalid_type"},
      {With(R"(,"guided_json":5)"), "guided_json", "invalid_type"},
      {With(R"(,"guided_whitespace_pattern":" ")"), "guided_whitespace_pattern",
       "unsupported_value"},
      {With(R"(,"response_format":{"type":"json_object"},"guided_regex":"a")"), "guided_regex",
       "invalid_value"},
      {With(R"(,"stop":[1])"), "stop", "invalid_type"},
      {With(R"(,"stop":["1","2","3","4","5","6","7","8","9","a","b","c","d","e","f","g","h"])"),
       "stop", "invalid_value"},
      {With(R"(,"tools":{})"), "tools", "invalid_type"},
      {With(R"(,"tools":[{"type":"function"}])"), "tools[0].function",
       "missing_required_parameter"},
      {With(R"(,"tools":[{"type":"function","function":{}}])"), "tools[0].function.name",
       "missing_required_parameter"},
      {With(R"(,"tools":[{"type":"web_search"}])"), "tools[0].type", "unsupported_value"},
      {With(tools + R"(,"tool_choice":"maybe")"), "tool_choice", "invalid_value"},
      {With(tools + R"(,"tool_choice":{"type":"function","function":{"name":"g"}})"), "tool_choice",
       "invalid_value"},
  };
  for (const Case& c : cases) {
    const auto parsed = ParseChatRequest(c.body, {});
    const auto* error = std::get_if<http::ApiError>(&parsed);
    ASSERT_NE(error, nullptr) << c.body;
    EXPECT_EQ(error->status, 400);
    EXPECT_EQ(error->param, c.param) << c.body;
    EXPECT_EQ(error->code, c.code) << c.body;
    EXPECT_NE(error->message, "");
  }
}

TEST(ChatRequest, WhatAnAnswerMustBe) {
  using Kind = TextRule::Kind;
  struct Case {
    std::string more;
    Kind kind;
    std::string text;
    std::string field;
  };
  const Case cases[] = {
      {R"("response_format":{"type":"text"})", Kind::kFree, "", ""},
      {R"("response_format":null,"guided_json":null)", Kind::kFree, "", ""},
      {R"("response_format":{"type":"json_object"})", Kind::kAnyObject, "", "response_format.type"},
      {R"("response_format":{"type":"json_object","schema":{"b":1,"a":1.50}})", Kind::kJsonSchema,
       R"({"b":1,"a":1.50})", "response_format.schema"},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"b":1,"a":2}}})",
       Kind::kJsonSchema, R"({"b":1,"a":2})", "response_format.json_schema.schema"},
      {R"("structured_outputs":{"json":"{ }","disable_fallback":true})", Kind::kJsonSchema, "{ }",
       "structured_outputs.json"},
      {R"("structured_outputs":{"json":{"z":{}}})", Kind::kJsonSchema, R"({"z":{}})",
       "structured_outputs.json"},
      {R"("structured_outputs":{"regex":"a+"})", Kind::kRegex, "a+", "structured_outputs.regex"},
      {R"("structured_outputs":{"grammar":"root ::= x"})", Kind::kEbnf, "root ::= x",
       "structured_outputs.grammar"},
      {R"("structured_outputs":{"json_object":true})", Kind::kAnyObject, "",
       "structured_outputs.json_object"},
      {R"("structured_outputs":{"choice":["a"]})", Kind::kChoice, "", "structured_outputs.choice"},
      {R"("guided_json":{"q":1})", Kind::kJsonSchema, R"({"q":1})", "guided_json"},
      {R"("guided_regex":"b","guided_decoding_backend":"x")", Kind::kRegex, "b", "guided_regex"},
      {R"("guided_grammar":"g")", Kind::kEbnf, "g", "guided_grammar"},
      {R"("guided_choice":["yes","no"])", Kind::kChoice, "", "guided_choice"},
  };
  for (const Case& c : cases) {
    const auto chat = Chat(With("," + c.more));
    EXPECT_EQ(chat.text.kind, c.kind) << c.more;
    EXPECT_EQ(chat.text.text, c.text) << c.more;
    EXPECT_EQ(chat.text_field, c.field) << c.more;
    EXPECT_EQ(chat.text.choices.empty(), c.kind != Kind::kChoice) << c.more;
    const auto completion = ParseCompletionRequest("{\"prompt\":\"x\"," + c.more + "}", {});
    EXPECT_EQ(std::get<CompletionRequest>(completion).text_field, c.field) << c.more;
  }
}

TEST(CompletionRequest, Prompts) {
  const auto prompt = [](std::string_view json) {
    return ParseCompletionRequest("{\"prompt\":" + std::string(json) + "}", {});
  };
  EXPECT_EQ(std::get<std::string>(std::get<CompletionRequest>(prompt("\"x\"")).prompt), "x");
  EXPECT_EQ(std::get<std::string>(std::get<CompletionRequest>(prompt("[\"x\"]")).prompt), "x");
  EXPECT_EQ(std::get<std::vector<TokenId>>(std::get<CompletionRequest>(prompt("[1,2]")).prompt),
            (std::vector<TokenId>{1, 2}));
  EXPECT_EQ(std::get<std::vector<TokenId>>(std::get<CompletionRequest>(prompt("[[1,2]]")).prompt),
            (std::vector<TokenId>{1, 2}));
  for (const char* bad :
       {"null", "[]", "[\"a\",\"b\"]", "[1,-2]", "[1,\"a\"]", "{}", "5", "[[]]", "[99999999999]"}) {
    const auto parsed = prompt(bad);
    const auto* error = std::get_if<http::ApiError>(&parsed);
    ASSERT_NE(error, nullptr) << bad;
    EXPECT_EQ(error->param, "prompt") << bad;
  }
  const auto echo = ParseCompletionRequest(R"({"prompt":"x","echo":true})", {});
  EXPECT_EQ(std::get<http::ApiError>(echo).param, "echo");
}

TEST(ChatRequest, VariablesForTheTemplate) {
  const auto body = [](const std::string& more) {
    return R"({"messages":[{"role":"user","content":"x"}],)" + more + "}";
  };
  EXPECT_EQ(Chat(body(R"("chat_template_kwargs":{"b": 1.50, "a":{"x":null}})")).template_kwargs,
            R"({"b": 1.50, "a":{"x":null}})");
  EXPECT_EQ(Chat(body(R"("chat_template_kwargs":null)")).template_kwargs, "");
  for (const char* wrong : {R"({"tools": []})", R"({"bos_token": "x"})", "[]", "3"}) {
    const auto parsed =
        ParseChatRequest(body(std::string("\"chat_template_kwargs\":") + wrong), {});
    const auto* error = std::get_if<http::ApiError>(&parsed);
    ASSERT_NE(error, nullptr) << wrong;
    EXPECT_EQ(error->status, 400);
    EXPECT_EQ(error->param, "chat_template_kwargs");
  }
}

TEST(ChatRequest, ThoughtsUnderEitherName) {
  const auto reasoning = [](const std::string& fields) {
    return Chat(R"({"messages":[{"role":"assistant","content":"x",)" + fields + "}]}")
        .messages[0]
        .reasoning;
  };
  EXPECT_EQ(reasoning(R"("reasoning_content":"a","reasoning":"b")"), "a");
  EXPECT_EQ(reasoning(R"("reasoning":"b")"), "b");
}

TEST(Request, HowTokensAreChosen) {
  const ChatRequest request = Chat(With(
      R"(,"n":3,"best_of":3,"min_p":0.1,"typical_p":0.9,"repetition_penalty":1.2,"min_tokens":4,
         "logit_bias":{"5":-100,"7":1.5},"bad_words":["x","y z"],"stop_token_ids":[3,4],
         "ignore_eos":true,"priority":2,"cache_salt":"s","logprobs":true,"top_logprobs":5,
         "prompt_logprobs":0)"));
  EXPECT_EQ(request.n, 3);
  EXPECT_EQ(request.sampling.min_p, 0.1);
  EXPECT_EQ(request.sampling.typical_p, 0.9);
  EXPECT_EQ(request.sampling.repetition_penalty, 1.2);
  EXPECT_EQ(request.sampling.min_tokens, 4);
  EXPECT_EQ(request.sampling.logit_bias,
            (std::vector<std::pair<TokenId, float>>{{5, -100.F}, {7, 1.5F}}));
  EXPECT_EQ(request.bad_words, (std::vector<std::string>{"x", "y z"}));
  EXPECT_EQ(request.stop_token_ids, (std::vector<TokenId>{3, 4}));
  EXPECT_TRUE(request.ignore_eos);
  EXPECT_EQ(request.priority, 2);
  EXPECT_EQ(request.cache_salt, "s");
  EXPECT_EQ(request.logprobs, 5);
  EXPECT_EQ(request.prompt_logprobs, 0);
  const auto parsed = ParseCompletionRequest(R"({"prompt":"x","logprobs":2})", {});
  EXPECT_EQ(std::get<CompletionRequest>(parsed).logprobs, 2);
}

}  // namespace
}  // namespace skerry::engine
