#include "engine/api/reply_json.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"

namespace skerry::engine {
namespace {

const ReplyIdentity kChat{"chatcmpl-1", "M", 7, true, false};

// The JSON of one "data: ...\n\n" event, which must be ASCII.
Json Data(const std::string& event) {
  EXPECT_TRUE(event.starts_with("data: ")) << event;
  EXPECT_TRUE(event.ends_with("\n\n")) << event;
  EXPECT_TRUE(std::ranges::all_of(event, [](char c) { return c > 0; })) << event;
  return ParseJson(event.substr(6)).value();
}

TEST(ReplyJson, WholeChatReply) {
  const Json json =
      ParseJson(WholeReplyJson(kChat, {.text = "gr\xC3\xBC\xC3\x9F\n"}, "stop", {3, 4})).value();
  EXPECT_EQ(json["id"], "chatcmpl-1");
  EXPECT_EQ(json["object"], "chat.completion");
  EXPECT_EQ(json["created"], 7);
  EXPECT_EQ(json["model"], "M");
  const Json& choice = json["choices"][0];
  EXPECT_EQ(choice["index"], 0);
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(choice["message"]["role"], "assistant");
  EXPECT_EQ(choice["message"]["content"], "gr\xC3\xBC\xC3\x9F\n");
  EXPECT_FALSE(choice["message"].contains("tool_calls"));
  EXPECT_EQ(json["usage"], ParseJson(R"({"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,
      "prompt_tokens_details":{"cached_tokens":0}})")
                               .value());
}

TEST(ReplyJson, ContentIsNullOnlyBesideCalls) {
  const std::vector<ToolCall> calls = {{"abcdefghi", "f", R"({"x": "\u00e4"})"}};
  const Json json = ParseJson(WholeReplyJson(kChat, {.calls = calls}, "tool_calls", {})).value();
  const Json& message = json["choices"][0]["message"];
  EXPECT_TRUE(message["content"].is_null());
  EXPECT_EQ(message["tool_calls"], ParseJson(R"([{"id":"abcdefghi","type":"function",
      "function":{"name":"f","arguments":"{\"x\": \"\\u00e4\"}"}}])")
                                       .value());
  EXPECT_EQ(
      ParseJson(WholeReplyJson(kChat, {}, "stop", {})).value()["choices"][0]["message"]["content"],
      "");
  ReplyIdentity legacy = kChat;
  legacy.legacy_functions = true;
  const Json old = ParseJson(WholeReplyJson(legacy, {.calls = calls}, "function_call", {})).value();
  EXPECT_EQ(old["choices"][0]["message"]["function_call"]["name"], "f");
  EXPECT_FALSE(old["choices"][0]["message"].contains("tool_calls"));
}

TEST(ReplyJson, LongArgumentsComeInPiecesOfWholeCharacters) {
  ToolCall call = {"abcdefghi", "f", "{\"x\": \""};
  for (int i = 0; i < 2000; ++i) call.arguments += "\xE4\xB8\x96";
  call.arguments += "\"}";
  for (const bool legacy : {false, true}) {
    ReplyIdentity identity = kChat;
    identity.legacy_functions = legacy;
    std::string all;
    const std::vector<std::string> events = CallEvents(identity, 1, call);
    EXPECT_GT(events.size(), 5u);
    for (size_t i = 0; i < events.size(); ++i) {
      const Json delta = Data(events[i])["choices"][0]["delta"];
      const Json& one = legacy ? delta["function_call"] : delta["tool_calls"][0];
      const Json& function = legacy ? one : one["function"];
      EXPECT_EQ(function.contains("name"), i == 0);
      EXPECT_EQ(one.contains("id"), i == 0 && !legacy);
      EXPECT_EQ(one.value("index", 1), 1);
      const std::string piece = function["arguments"];
      EXPECT_LE(piece.size(), 1024u);
      all += piece;
    }
    EXPECT_EQ(all, call.arguments);
  }
}

TEST(ReplyJson, ThoughtsHaveAFieldWhereThereAreSome) {
  const Json json = ParseJson(WholeReplyJson(kChat, {.reasoning = "hm"}, "length", {})).value();
  const Json& message = json["choices"][0]["message"];
  EXPECT_EQ(message["reasoning_content"], "hm");
  EXPECT_EQ(message["content"], "");
  EXPECT_FALSE(ParseJson(WholeReplyJson(kChat, {.text = "x"}, "stop", {}))
                   .value()["choices"][0]["message"]
                   .contains("reasoning_content"));
  const Json delta = Data(ReasoningEvent(kChat, "\xC3\xA4"))["choices"][0];
  EXPECT_EQ(delta["delta"], (Json{{"reasoning_content", "\xC3\xA4"}}));
  EXPECT_TRUE(delta["finish_reason"].is_null());
}

TEST(ReplyJson, StreamEvents) {
  const Json role = Data(RoleEvent(kChat));
  EXPECT_EQ(role["object"], "chat.completion.chunk");
  EXPECT_EQ(role["choices"][0]["delta"], ParseJson(R"({"role":"assistant","content":""})").value());
  EXPECT_TRUE(role["choices"][0]["finish_reason"].is_null());
  const Json text = Data(TextEvent(kChat, "\xF0\x9F\xA6\x99"));
  EXPECT_EQ(text["choices"][0]["delta"]["content"], "\xF0\x9F\xA6\x99");
  const Json finish = Data(FinishEvent(kChat, "stop"));
  EXPECT_EQ(finish["choices"][0]["delta"], Json::object());
  EXPECT_EQ(finish["choices"][0]["finish_reason"], "stop");
  const Json usage = Data(UsageEvent(kChat, {1, 2}));
  EXPECT_EQ(usage["choices"], Json::array());
  EXPECT_EQ(usage["usage"]["total_tokens"], 3);
}

TEST(ReplyJson, CallEventsNameTheCallOnce) {
  const auto events = CallEvents(kChat, 1, {"abcdefghi", "f", "{}"});
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(Data(events[0])["choices"][0]["delta"], ParseJson(R"({"tool_calls":[{"index":1,
      "id":"abcdefghi","type":"function","function":{"name":"f","arguments":""}}]})")
                                                        .value());
  EXPECT_EQ(Data(events[1])["choices"][0]["delta"],
            ParseJson(R"({"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]})").value());
}

TEST(ReplyJson, Completions) {
  const ReplyIdentity identity{"cmpl-1", "M", 7, false, false};
  const Json whole = ParseJson(WholeReplyJson(identity, {.text = "x"}, "length", {1, 1})).value();
  EXPECT_EQ(whole["object"], "text_completion");
  EXPECT_EQ(whole["choices"][0]["text"], "x");
  const Json event = Data(TextEvent(identity, "y"));
  EXPECT_EQ(event["object"], "text_completion");
  EXPECT_EQ(event["choices"][0]["text"], "y");
  EXPECT_FALSE(event["choices"][0].contains("delta"));
  EXPECT_EQ(Data(FinishEvent(identity, "stop"))["choices"][0]["text"], "");
}

TEST(ReplyJson, ErrorEvent) {
  const std::string event = ErrorEvent({500, "broken", "internal", ""});
  ASSERT_TRUE(event.starts_with("event: error\ndata: "));
  const Json json = ParseJson(event.substr(std::string("event: error\ndata: ").size())).value();
  EXPECT_EQ(json["error"]["message"], "broken");
  EXPECT_EQ(json["error"]["code"], "internal");
}

ReportedToken Token(int32_t id, const std::string& bytes, double logprob) {
  ReportedToken token;
  token.id = id;
  token.bytes = bytes;
  token.logprob = logprob;
  return token;
}

TEST(ReplyJson, LogprobsOfChats) {
  ReportedToken token = Token(7, "\xC3", -0.5);
  token.top = {Token(7, "\xC3", -0.5), Token(8, "b", -2)};
  Choice choice{{.text = "x"}, "stop", std::vector<ReportedToken>{token}};
  const Json json = ParseJson(WholeReplyJson(kChat, std::vector<Choice>{choice}, {})).value();
  const Json& entry = json["choices"][0]["logprobs"]["content"][0];
  EXPECT_EQ(entry["token"], "\xEF\xBF\xBD");  // a part of a character
  EXPECT_EQ(entry["bytes"], Json::array({0xC3}));
  EXPECT_EQ(entry["logprob"], -0.5);
  EXPECT_EQ(entry["top_logprobs"][1]["token"], "b");
  const std::string event = TextEvent(kChat, "x", {token});
  EXPECT_NE(event.find("\"logprobs\":{\"content\":[{"), std::string::npos) << event;
  EXPECT_EQ(TextEvent(kChat, "x").find("logprobs"), std::string::npos);
}

TEST(ReplyJson, LogprobsOfCompletionsAndPrompts) {
  ReplyIdentity identity = kChat;
  identity.chat = false;
  ReportedToken token = Token(7, "ab", -0.5);
  token.rank = 2;
  token.top = {Token(8, "b", -0.25)};
  Choice choice{{.text = "abab"}, "stop", std::vector<ReportedToken>{token, token}};
  const Json json = ParseJson(WholeReplyJson(identity, std::vector<Choice>{choice}, {},
                                             std::vector<ReportedToken>{token}))
                        .value();
  const Json& logprobs = json["choices"][0]["logprobs"];
  EXPECT_EQ(logprobs["tokens"], Json::array({"ab", "ab"}));
  EXPECT_EQ(logprobs["token_logprobs"], Json::array({-0.5, -0.5}));
  EXPECT_EQ(logprobs["text_offset"], Json::array({0, 2}));
  EXPECT_EQ(logprobs["top_logprobs"][0]["b"], -0.25);
  const Json& prompt = json["choices"][0]["prompt_logprobs"];
  EXPECT_TRUE(prompt[0].is_null());
  EXPECT_EQ(prompt[1]["7"]["rank"], 2);
  EXPECT_EQ(prompt[1]["8"]["decoded_token"], "b");
}

TEST(ReplyJson, SeveralChoices) {
  const std::vector<Choice> two = {{{.text = "a"}, "stop"}, {{.text = "b"}, "length"}};
  const Json json = ParseJson(WholeReplyJson(kChat, two, {3, 4, 2})).value();
  ASSERT_EQ(json["choices"].size(), 2u);
  EXPECT_EQ(json["choices"][1]["index"], 1);
  EXPECT_EQ(json["choices"][1]["message"]["content"], "b");
  EXPECT_EQ(json["choices"][1]["finish_reason"], "length");
  EXPECT_EQ(json["usage"]["prompt_tokens_details"]["cached_tokens"], 2);
  ReplyIdentity second = kChat;
  second.choice = 1;
  EXPECT_NE(TextEvent(second, "x").find("\"index\":1"), std::string::npos);
}

TEST(ReplyJson, PingsTellThePlaceInTheQueue) {
  EXPECT_EQ(PingComment(std::nullopt), ": ping\n\n");
  EXPECT_EQ(PingComment(3), ": ping, 3 before this one in the queue\n\n");
}

}  // namespace
}  // namespace skerry::engine
