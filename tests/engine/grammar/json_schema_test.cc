#include "engine/grammar/json_schema.h"

#include <gtest/gtest.h>

#include "tests/engine/grammar/test_tokenizer.h"

namespace skerry::engine {
namespace {

struct Row {
  const char* schema;
  std::vector<std::string> yes;
  std::vector<std::string> no;
};

void Check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const auto grammar = CompileJsonSchema(row.schema);
    ASSERT_TRUE(grammar) << row.schema << ": " << grammar.error().message();
    for (const std::string& text : row.yes) {
      EXPECT_TRUE(Matches(*grammar, text)) << row.schema << " " << text;
    }
    for (const std::string& text : row.no) {
      EXPECT_FALSE(Matches(*grammar, text)) << row.schema << " " << text;
    }
  }
}

TEST(JsonSchema, Types) {
  Check({
      {R"({"type":"null"})", {"null"}, {"nul", "", "0", " null"}},
      {R"({"type":"boolean"})", {"true", "false"}, {"TRUE", "1"}},
      {R"({"type":["integer","null"]})",
       {"0", "-1", "null", "123456789012345678"},
       {"00", "-0", "1.0", "+1", "1e3", "1234567890123456789"}},
      {R"({"type":"number"})",
       {"0", "-0.5", "1e3", "12.25E-07", "7"},
       {".5", "1.", "01", "1e", "NaN"}},
      {R"({"type":"integer","nullable":true})", {"1", "null"}, {"\"1\""}},
      {"{}",
       {"1", "\"a\"", "[]", "[1, {\"a\":null}]", "{}", "null", "true"},
       {"", "[,]", "{1}", "[1"}},
      {"true", {"[[[]]]"}, {"a"}},
      {R"({"title":"t","description":"d","default":1,"x-more":1,"$schema":"s"})", {"1"}, {}},
  });
}

TEST(JsonSchema, Strings) {
  Check({
      {R"({"type":"string"})",
       {"\"\"", "\"a\xC3\xA4\xF0\x9F\xA6\x99\"", R"("\"\\\/\b\f\n\r\t\u00e4\uD83E\udd99")"},
       {"\"", "\"\n\"", R"("\x")", R"("\u12")", R"("\ud83e")", R"("\uDD99")", "\"\xC3\"", "a"}},
      {R"({"type":"string","minLength":2,"maxLength":3})",
       {"\"ab\"", "\"\xC3\xA4\xC3\xA4\xC3\xA4\"", R"("\u00e4\n\\")", R"("\uD83E\uDD99x")"},
       {"\"a\"", "\"abcd\"", R"("\n")"}},
      {R"({"type":"string","pattern":"^[a-z]+\\d?$"})", {"\"abc1\"", "\"a\""}, {"\"1\"", "\"aB\""}},
      {R"({"type":"string","pattern":"b"})",
       {"\"abc\"", "\"b\"", R"("\nb\"")"},
       {"\"ac\"", "\"\""}},
      {R"({"pattern":"^a|c$"})", {"\"axx\"", "\"xxc\""}, {"\"xax\"", "\"cx\""}},
      {R"({"pattern":"^\"\\\\$"})", {R"("\"\\")"}, {R"("\\")"}},
      {R"({"pattern":"^a*$","minLength":2,"maxLength":4})",
       {"\"aa\"", "\"aaaa\""},
       {"\"a\"", "\"aaaaa\""}},
      {R"({"type":"string","format":"date"})",
       {"\"2024-02-29\"", "\"2023-12-31\"", "\"2000-02-29\""},
       {"\"2023-02-29\"", "\"1900-02-29\"", "\"2023-04-31\"", "\"2023-13-01\"", "\"23-01-01\""}},
      {R"({"type":"string","format":"date-time"})",
       {"\"2024-02-29T23:59:59Z\"", "\"2024-01-01T00:00:00.123+02:00\""},
       {"\"2024-01-01\"", "\"2024-01-01T24:00:00Z\"", "\"2024-01-01T00:00:00\""}},
      {R"({"type":"string","format":"time"})", {"\"12:30:00Z\""}, {"\"12:60:00Z\""}},
      {R"({"type":"string","format":"uuid"})",
       {"\"123e4567-e89b-12d3-a456-426614174000\""},
       {"\"123e4567\""}},
      {R"({"type":"string","format":"ipv4"})",
       {"\"255.0.10.99\""},
       {"\"256.0.0.1\"", "\"01.2.3.4\""}},
      {R"({"type":"string","format":"ipv6"})",
       {"\"::\"", "\"::1\"", "\"fe80::1:2\"", "\"1:2:3:4:5:6:7:8\""},
       {"\"1:2:3\"", "\"1::2::3\"", "\"12345::\""}},
      {R"({"type":"string","format":"email"})",
       {"\"a.b+c@example.org\""},
       {"\"a@\"", "\"@b.c\"", "\"a b@c.d\""}},
      {R"({"type":"string","format":"hostname"})", {"\"a-b.example\""}, {"\"-a\"", "\"a..b\""}},
      {R"({"type":"string","format":"uri"})",
       {"\"https://a.b/c?d=e#f\"", "\"mailto:x@y.z\""},
       {"\"a b\"", "\"/x\""}},
      {R"({"type":"string","format":"duration"})",
       {"\"P1Y2M3DT4H5M6S\"", "\"PT5M\""},
       {"\"P\"", "\"1Y\""}},
      {R"({"type":"string","format":"ipv4","maxLength":7})", {"\"1.2.3.4\""}, {"\"10.2.3.4\""}},
  });
}

TEST(JsonSchema, NumbersWithBounds) {
  Check({
      {R"({"type":"integer","minimum":-5,"maximum":12})",
       {"-5", "-1", "0", "9", "10", "12"},
       {"-6", "13", "-0", "-10", "100", "05"}},
      {R"({"type":"integer","exclusiveMinimum":0,"exclusiveMaximum":3})",
       {"1", "2"},
       {"0", "3", "-1"}},
      {R"({"type":"integer","minimum":0.5,"maximum":3.2})", {"1", "3"}, {"0", "4"}},
      {R"({"type":"integer","minimum":98,"maximum":1203})",
       {"98", "99", "100", "999", "1000", "1203"},
       {"97", "1204", "2000", "9"}},
      {R"({"type":"integer","minimum":0})", {"0", "999999999999999999"}, {"-1"}},
      {R"({"type":"integer","maximum":-3})", {"-3", "-10"}, {"-2", "0", "3"}},
      {R"({"type":"integer","exclusiveMaximum":true,"maximum":3})", {"2"}, {"3"}},
      {R"({"type":"integer","format":"int32"})",
       {"2147483647", "-2147483648"},
       {"2147483648", "-2147483649"}},
      {R"({"type":"integer","minimum":1,"format":"int64"})", {"1"}, {"0"}},
      {R"({"type":"integer","minimum":1e-320,"format":"int32"})", {"1"}, {"0"}},
      {R"({"type":"number","minimum":0,"maximum":1})",
       {"0", "1", "0.5", "0.0", "1.0", "1.000"},
       {"-0.1", "1.1", "1.0001", "2", "1e0"}},
      {R"({"type":"number","minimum":-1.5,"exclusiveMaximum":2.25})",
       {"-1.5", "-1.49", "-1", "-0.5", "0", "2", "2.2", "2.24", "2.2499", "1.99"},
       {"-1.51", "-1.6", "-2", "2.25", "2.250", "2.3", "3", "-1.5001"}},
      {R"({"type":"number","exclusiveMinimum":0})", {"0.1", "0.0001", "5"}, {"0", "0.0", "-1"}},
      {R"({"type":"number","minimum":0.25,"maximum":0.5})",
       {"0.25", "0.3", "0.5", "0.4999", "0.50"},
       {"0.2", "0.24", "0.51", "0", "1"}},
      {R"({"type":"number","minimum":1e-2,"maximum":1.5e1})",
       {"0.01", "15", "14.9"},
       {"0.009", "15.1", "0"}},
      {R"({"type":"number","maximum":-2.5})", {"-2.5", "-3", "-10.1"}, {"-2.4", "-2", "0"}},
  });
}

TEST(JsonSchema, Objects) {
  Check({
      {R"({"type":"object","properties":{"b":{"type":"integer"},"a":{"type":"boolean"}},"required":["b"]})",
       {R"({"b":1})", R"({"b": 1, "a": true})", R"({ "b":1,"a":true })"},
       {"{}", R"({"a":true})", R"({"a":true,"b":1})", R"({"b":1,})", R"({"b":1,"c":1})",
        R"({"b":1,  "a":true})"}},
      {R"({"type":"object","properties":{"a":{},"b":{},"c":{}},"required":["c"]})",
       {R"({"c":1})", R"({"a":1,"c":1})", R"({"b":1,"c":1})", R"({"a":1,"b":1,"c":1})"},
       {R"({"b":1})", R"({"a":1,"b":1})", R"({,"c":1})"}},
      {R"({"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"}}})",
       {"{}", R"({"a":null})", R"({"b":null})", R"({"a":null,"b":null})"},
       {R"({"b":null,"a":null})"}},
      {R"({"type":"object"})", {"{}", R"({"x":[1]})", R"({"x":1,"y":{}})"}, {"[]"}},
      {R"({"type":"object","properties":{}})", {"{}"}, {R"({"x":1})"}},
      {R"({"type":"object","additionalProperties":{"type":"integer"}})",
       {"{}", R"({"x":1,"y":2})"},
       {R"({"x":"1"})"}},
      {R"({"type":"object","properties":{"ab":{"type":"null"}},"additionalProperties":{"type":"integer"}})",
       {"{}", R"({"ab":null})", R"({"ab":null,"a":1,"abc":2,"":3})", R"({"a":1})", R"({"b\n":1})"},
       {R"({"ab":1})", R"({"a":1,"ab":1})", R"({"a":null})", R"({"\u0061b":1})"}},
      {R"({"type":"object","required":["z"],"additionalProperties":{"type":"integer"}})",
       {R"({"z":1})", R"({"z":1,"y":2})"},
       {"{}", R"({"y":2})"}},
      {R"({"type":"object","patternProperties":{"^n_":{"type":"integer"},"^s_":{"type":"string"}},
         "additionalProperties":false})",
       {"{}", R"({"n_a":1,"s_b":"x","n_":2})"},
       {R"({"n_a":"x"})", R"({"x":1})"}},
      {R"({"type":"object","patternProperties":{"^n_":{"type":"integer"}},"additionalProperties":{"type":"null"}})",
       {R"({"n_a":1,"x":null})"},
       {R"({"n_a":null})", R"({"x":1})"}},
      {R"({"type":"object","propertyNames":{"pattern":"^[a-z]{2}$"},"additionalProperties":{"type":"integer"}})",
       {R"({"ab":1})"},
       {R"({"abc":1})"}},
      {R"({"type":"object","minProperties":2,"maxProperties":3,"additionalProperties":{"type":"integer"}})",
       {R"({"a":1,"b":2})", R"({"a":1,"b":2,"c":3})"},
       {R"({"a":1})", R"({"a":1,"b":2,"c":3,"d":4})"}},
      {R"({"type":"object","properties":{"\"\u00e4/~":{"type":"null"}},"required":["\"\u00e4/~"]})",
       {"{\"\\\"\xC3\xA4/~\":null}"},
       {"{}"}},
  });
}

TEST(JsonSchema, Arrays) {
  Check({
      {R"({"type":"array"})", {"[]", "[1,\"a\"]", "[ 1, [] ]"}, {"[1,]", "{}"}},
      {R"({"type":"array","items":{"type":"integer"}})",
       {"[]", "[1]", "[1, 2,3]"},
       {"[\"a\"]", "[1 ,2]"}},
      {R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":4})",
       {"[1,2]", "[1,2,3,4]"},
       {"[]", "[1]", "[1,2,3,4,5]"}},
      {R"({"type":"array","items":{"type":"integer"},"maxItems":0})", {"[]"}, {"[1]"}},
      {R"({"type":"array","items":{"type":"integer"},"maxItems":1})", {"[]", "[1]"}, {"[1,2]"}},
      {R"({"type":"array","items":{"type":"integer"},"minItems":3})",
       {"[1,2,3]", "[1,2,3,4]"},
       {"[1,2]"}},
      {R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":{"type":"null"}})",
       {"[]", "[1]", "[1,\"a\"]", "[1,\"a\",null,null]"},
       {"[\"a\"]", "[1,null]"}},
      {R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"minItems":2})",
       {"[1,\"a\"]"},
       {"[1]", "[1,\"a\",1]"}},
      {R"({"type":"array","items":[{"type":"integer"}],"additionalItems":false})",
       {"[]", "[1]"},
       {"[1,2]"}},
      {R"({"type":"array","prefixItems":[{"type":"integer"}],"minItems":3})",
       {"[1,2,\"x\"]", "[1,2,3,4]"},
       {"[1,2]"}},
      {R"({"type":"array","items":false})", {"[]"}, {"[1]"}},
  });
}

TEST(JsonSchema, ValuesAndCombinations) {
  Check({
      {R"({"enum":["a","ab",1,null,{"k":[1,2]}]})",
       {"\"a\"", "\"ab\"", "1", "null", "{\"k\": [1,2]}"},
       {"\"b\"", "2", "{\"k\":[2,1]}", "\"abc\""}},
      {R"({"type":"string","enum":["a",1]})", {"\"a\""}, {"1"}},
      {R"({"const":{"a":"x\ny"}})", {"{\"a\":\"x\\ny\"}"}, {"{}"}},
      {R"({"anyOf":[{"type":"integer"},{"type":"string","maxLength":1}]})",
       {"5", "\"a\""},
       {"\"ab\"", "null"}},
      {R"({"oneOf":[{"type":"null"},{"type":"boolean"}]})", {"null", "true"}, {"0"}},
      {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},
         "anyOf":[{"required":["a"]},{"required":["b"]}]})",
       {R"({"a":1})", R"({"b":1})", R"({"a":1,"b":2})"},
       {"{}"}},
      {R"({"allOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},
         {"properties":{"b":{"type":"null"},"a":{"minimum":3}},"required":["b"]}]})",
       {R"({"a":3,"b":null})"},
       {R"({"a":2,"b":null})", R"({"a":3})"}},
      {R"({"allOf":[{"type":["integer","string"]},{"type":"number","maximum":5}],"minimum":2})",
       {"2", "5"},
       {"1", "6", "\"a\"", "2.5"}},
      {R"({"$ref":"#/$defs/x","description":"d","$defs":{"x":{"enum":["q"]}}})",
       {"\"q\""},
       {"\"x\""}},
      {R"({"$ref":"#/definitions/a~1b%25","definitions":{"a/b%":{"type":"null"}}})",
       {"null"},
       {"1"}},
      {R"({"properties":{"x":{"$ref":"#/$defs/p","minimum":5}},"required":["x"],"$defs":{"p":{"type":"integer","maximum":7}}})",
       {R"({"x":6})"},
       {R"({"x":4})", R"({"x":8})"}},
      {R"({"type":"object","properties":{"v":{"type":"integer"},"next":{"$ref":"#"}},"required":["v"]})",
       {R"({"v":1})", R"({"v":1,"next":{"v":2,"next":{"v":3}}})"},
       {R"({"v":1,"next":{}})"}},
      {R"({"$defs":{"t":{"anyOf":[{"type":"null"},{"type":"array","items":{"$ref":"#/$defs/t"}}]}},"$ref":"#/$defs/t"})",
       {"null", "[[],[null,[[]]]]"},
       {"[1]", "[[]"}},
  });
}

TEST(JsonSchema, NestsAsDeepAsTheStack) {
  const auto grammar = CompileJsonSchema("{}");
  ASSERT_TRUE(grammar);
  const std::string deep = std::string(200, '[') + std::string(200, ']');
  EXPECT_TRUE(Matches(*grammar, deep));
  EXPECT_FALSE(Matches(*grammar, std::string(400, '[') + std::string(400, ']')));
  // At the deepest place the text can still be ended.
  const auto vocabulary = MakeByteVocabulary();
  Matcher matcher(std::make_shared<Constraint>(*grammar, vocabulary));
  size_t depth = 0;
  while (matcher.AcceptBytes("[")) ++depth;
  EXPECT_GT(depth, 200u);
  EXPECT_TRUE(matcher.AcceptBytes(std::string(depth, ']')));
  EXPECT_TRUE(matcher.CanEnd());
}

TEST(JsonSchema, RefusesByName) {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {"[", "schema:"},
      {"1", "is no schema"},
      {R"({"a":1,"a":2})", "schema:"},
      {R"({"multipleOf":2})", "'multipleOf' is not supported"},
      {R"({"properties":{"a/b":{"not":{}}}})", "at '/properties/a~1b': 'not' is not supported"},
      {R"({"type":"array","uniqueItems":true})", "'uniqueItems'"},
      {R"({"if":{},"then":{}})", "'if'"},
      {R"({"unknownKeyword":1})", "'unknownKeyword'"},
      {R"({"type":"text"})", "'type'"},
      {R"({"type":"string","format":"phone"})", "'format' \"phone\""},
      {R"j({"type":"string","pattern":"(?=a)"})j", "at '/pattern': pattern: byte"},
      {R"({"type":"string","minLength":3,"maxLength":2})", "'minLength' is above"},
      {R"({"type":"string","minLength":-1})", "'minLength' is no whole number"},
      {R"({"pattern":"^a$","minLength":2})", "no text satisfies"},
      {R"({"type":"integer","minimum":3,"maximum":2})", "nothing can match"},
      {R"({"type":"integer","minimum":"3"})", "'minimum' is no number"},
      {R"({"$ref":"#/$defs/none"})", "leads nowhere"},
      {R"({"$ref":"http://example.org/x"})", "only '#'"},
      {R"({"$ref":"#"})", "begins with itself"},
      {R"({"allOf":[{"$ref":"#"}],"minimum":1})", "without end"},
      {R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})",
       "nothing can match"},
      {R"({"type":"object","required":["a"],"additionalProperties":false})", "'a' is required"},
      {R"({"enum":[]})", "'enum'"},
      {R"({"enum":["a"],"maxLength":3})", "'maxLength' together with 'enum'"},
      {R"({"type":"object","properties":{"a":{}},"maxProperties":0})", "'maxProperties'"},
      {R"({"type":"object","patternProperties":{"a":{},"b":{}}})", "matches two patterns"},
      {R"({"allOf":[{"pattern":"a"},{"pattern":"b"}]})", "'pattern' is given twice"},
      {R"({"anyOf":[]})", "is no list of schemas"},
      {R"({"properties":[]})", "'properties' is no object"},
      {R"({"type":"array","minItems":2,"maxItems":1})", "'minItems' is above"},
  };
  for (const auto& [schema, part] : rows) {
    const auto grammar = CompileJsonSchema(schema);
    ASSERT_FALSE(grammar) << schema;
    EXPECT_NE(grammar.error().message().find(part), std::string::npos)
        << schema << ": " << grammar.error().message();
  }
}

TEST(JsonSchema, BoundsItsSize) {
  std::string doubling = R"({"$defs":{"a0":{"type":"integer"})";
  for (int i = 1; i < 40; ++i) {
    const std::string ref = R"({"$ref":"#/$defs/a)" + std::to_string(i - 1) + R"(","minimum":0})";
    doubling +=
        ",\"a" + std::to_string(i) + R"(":{"properties":{"x":)" + ref + R"(,"y":)" + ref + "}}";
  }
  doubling += R"(},"$ref":"#/$defs/a39"})";
  const auto grammar = CompileJsonSchema(doubling);
  ASSERT_FALSE(grammar);
  EXPECT_EQ(grammar.error().code(), ErrorCode::kExhausted) << grammar.error().message();
  EXPECT_EQ(CompileJsonSchema(R"({"pattern":"^[ab]*a[ab]{20}$"})").error().code(),
            ErrorCode::kExhausted);
}

}  // namespace
}  // namespace skerry::engine
