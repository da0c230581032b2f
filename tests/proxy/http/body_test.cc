#include "proxy/http/body.h"

#include <gtest/gtest.h>

namespace skerry::proxy {
namespace {

using std::string_literals::operator""s;

TEST(InspectBody, FindsTheFactsAtTheOutermostLevelOnly) {
  const auto facts = InspectBody(
      R"( {"messages":[{"model":"x","stream":false,"a":[1,-2.5e3,true,null,{"model":2}]}],)"
      R"("max_tokens":7,"stream":true,"model":"dem\u006f","n":18446744073709551615} )");
  ASSERT_TRUE(facts.has_value()) << facts.error().message();
  EXPECT_EQ(facts->model, "demo");
  EXPECT_TRUE(facts->stream);
  EXPECT_EQ(facts->max_tokens, 7);
  const auto both = InspectBody(R"({"max_completion_tokens":9,"max_tokens":7})");
  EXPECT_EQ(both->max_tokens, 9);
  EXPECT_FALSE(both->model.has_value());
  EXPECT_FALSE(InspectBody(R"({"model":null,"stream":null})")->model.has_value());
}

TEST(InspectBody, Refusals) {
  const std::string deep = "{\"a\":" + std::string(128, '[') + std::string(128, ']') + "}";
  for (const std::string& body : {""s,
                                  " "s,
                                  "null"s,
                                  "true"s,
                                  "1"s,
                                  "1.5"s,
                                  "\"x\""s,
                                  "[]"s,
                                  "{"s,
                                  "{}{}"s,
                                  "{} x"s,
                                  "{\"a\":1,}"s,
                                  "{a:1}"s,
                                  "{'a':1}"s,
                                  "{\"a\":01}"s,
                                  "{\"a\":NaN}"s,
                                  "{\"a\":1e999}"s,
                                  "{\"a\":\"\x01\"}"s,
                                  "{\"a\":\"\xc0\xaf\"}"s,
                                  "{\"a\":\"\xff\"}"s,
                                  "{\"a\":\"\\ud800\"}"s,
                                  "// x\n{}"s,
                                  "{}\0"s,
                                  "\xef\xbb\xbf{\"a\":1"s,
                                  "{\"model\":\"a\",\"model\":\"b\"}"s,
                                  "{\"model\":\"a\",\"\\u006dodel\":\"b\"}"s,
                                  "{\"a\":{\"b\":1,\"b\":1}}"s,
                                  "{\"a\":[{\"b\":1,\"b\":1}]}"s,
                                  "{\"model\":1}"s,
                                  "{\"model\":1.5}"s,
                                  "{\"model\":true,\"model\":1}"s,
                                  "{\"model\":{}}"s,
                                  "{\"model\":[]}"s,
                                  deep}) {
    const auto facts = InspectBody(body);
    ASSERT_FALSE(facts.has_value()) << body;
    EXPECT_EQ(facts.error().code(), ErrorCode::kInvalidArgument);
  }
  const auto secret = InspectBody("{\"prompt\":\"topsecret\" oops}");
  EXPECT_EQ(secret.error().message().find("topsecret"), std::string::npos);
}

TEST(InspectBody, ByteOrderMarkIsRefused) {
  const auto facts = InspectBody("\xef\xbb\xbf{}");
  ASSERT_FALSE(facts.has_value());
  EXPECT_EQ(facts.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(facts.error().message().find("byte order mark"), std::string::npos);
}

// All keys of the body count, whichever object they are in.
TEST(InspectBody, KeysOfOneBodyAreBounded) {
  const auto body = [](size_t inner_keys) {
    std::string text = "{\"a\":{";
    for (size_t i = 0; i < inner_keys; ++i) {
      text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":1";
    }
    return text + "}}";
  };
  EXPECT_TRUE(InspectBody(body(kMaxBodyKeys - 1)).has_value());
  const auto refused = InspectBody(body(kMaxBodyKeys));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message().find("too many keys"), std::string::npos);
}

TEST(InspectBody, ModelOfAnyWrongTypeIsRefused) {
  for (const char* value : {"true", "false", "0", "-1", "1.0", "{}", "[]", "[\"demo\"]"}) {
    EXPECT_FALSE(InspectBody("{\"model\":" + std::string(value) + "}").has_value()) << value;
  }
}

}  // namespace
}  // namespace skerry::proxy
