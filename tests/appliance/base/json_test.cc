#include "appliance/base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace skerry {
namespace {

std::string Refusal(std::string_view text, const JsonLimits& limits = {}) {
  const Result<Json> parsed = ParseJson(text, limits);
  return parsed ? "accepted" : parsed.error().message();
}

TEST(Json, RoundTripSortsKeys) {
  const Result<Json> parsed = ParseJson(R"( {"b":[1,-2,true,null],"a":{"x":"é\u0041"}} )");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(DumpJson(*parsed), R"({"a":{"x":"éA"},"b":[1,-2,true,null]})");
  EXPECT_EQ(DumpJsonAscii(*parsed), R"({"a":{"x":"\u00e9A"},"b":[1,-2,true,null]})");
}

TEST(Json, DuplicateKeysAreRefusedAtEveryDepth) {
  EXPECT_EQ(Refusal(R"({"a":1,"a":2})"), "JSON is refused: a duplicate key");
  EXPECT_EQ(Refusal(R"([{"x":{"a":1,"b":2,"a":3}}])"), "JSON is refused: a duplicate key");
  EXPECT_EQ(Refusal(R"({"a":1,"\u0061":2})"), "JSON is refused: a duplicate key");
  EXPECT_EQ(Refusal(R"([{"a":1},{"a":2}])"), "accepted");
}

TEST(Json, MalformedTextIsRefused) {
  for (const char* bad : {"", "{", "{}x", "{} {}", "[1,]", "{\"a\"}", "nul", "'a'", "[01]",
                          "\"\x01\"", "\"\xff\"", "\"\\ud800\"", "NaN", "// c\n1", "1e999"}) {
    EXPECT_NE(Refusal(bad), "accepted") << bad;
  }
}

TEST(Json, NulDoesNotEndTheText) {
  using std::string_literals::operator""s;
  EXPECT_EQ(Refusal("{}\0"s), "JSON is refused: malformed at byte 3");
  EXPECT_EQ(Refusal("{\"a\":1}\0{\"a\":2}"s), "JSON is refused: malformed at byte 8");
}

TEST(Json, ByteOrderMarkIsRefused) {
  EXPECT_EQ(Refusal("\xef\xbb\xbf{}"), "JSON is refused: it begins with a byte order mark");
  EXPECT_EQ(ParseJson("\xef\xbb\xbf{}").error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(Refusal("{\"a\":\"\xef\xbb\xbf\"}"), "accepted");  // inside a string it is a character
}

TEST(Json, RefusalsNeverQuoteContent) {
  EXPECT_EQ(Refusal("{\"password\": secret"), "JSON is refused: malformed at byte 14");
}

TEST(Json, LimitsHold) {
  JsonLimits limits;
  limits.max_depth = 3;
  limits.max_bytes = 20;
  limits.allow_floats = false;
  EXPECT_EQ(Refusal("[[[1]]]", limits), "accepted");
  EXPECT_NE(Refusal("[[[[1]]]]", limits), "accepted");
  EXPECT_NE(Refusal("\"aaaaaaaaaaaaaaaaaaaaaa\"", limits), "accepted");
  EXPECT_NE(Refusal("1.0", limits), "accepted");
  EXPECT_NE(Refusal("1e3", limits), "accepted");
  EXPECT_EQ(Refusal("9007199254740991", limits), "accepted");
  EXPECT_NE(Refusal("9007199254740992", limits), "accepted");
  EXPECT_NE(Refusal("-9007199254740992", limits), "accepted");
}

TEST(Json, TypedAccessNamesTheField) {
  const Json object = ParseJson(R"({"s":"x","i":3,"b":true,"f":0.5})").value();
  EXPECT_EQ(GetString(object, "s").value(), "x");
  EXPECT_EQ(GetInt(object, "i").value(), 3);
  EXPECT_TRUE(GetBool(object, "b").value());
  EXPECT_EQ(GetNumberOr(object, "f", 0).value(), 0.5);
  EXPECT_EQ(GetIntOr(object, "absent", 7).value(), 7);
  EXPECT_EQ(GetString(object, "absent").error().message(), "field 'absent' is missing");
  EXPECT_EQ(GetInt(object, "f").error().message(), "field 'f' must be an integer");
  EXPECT_EQ(GetIntOr(object, "s", 7).error().message(), "field 's' must be an integer");
  EXPECT_FALSE(GetInt(ParseJson(R"({"n":18446744073709551615})").value(), "n").has_value());
}

TEST(Json, UnknownKeysAreNamed) {
  const Json object = ParseJson(R"({"a":1,"typo":2})").value();
  EXPECT_EQ(RefuseUnknownKeys(object, {"a"}).error().message(), "unknown field 'typo'");
  EXPECT_TRUE(RefuseUnknownKeys(object, {"a", "typo"}).has_value());
}

}  // namespace
}  // namespace skerry
