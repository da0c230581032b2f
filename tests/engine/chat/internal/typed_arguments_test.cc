#include "engine/chat/internal/typed_arguments.h"

#include <gtest/gtest.h>

namespace skerry::engine::internal {
namespace {

TEST(ArgumentTypes, AreThoseOfTheSchema) {
  const ArgumentTypes types(R"({"type": "object", "properties": {
    "s": {"type": "string"}, "i": {"type": "integer"}, "f": {"type": "number"},
    "b": {"type": "boolean"}, "o": {"type": "object"}, "l": {"type": "array"},
    "n": {"type": ["string", "null"]}, "u": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    "e": {"enum": ["1", "2"]}, "m": {"enum": [1, "1"]}, "r": {"$ref": "#/$defs/R"},
    "c": {"const": true}, "loop": {"$ref": "#/properties/loop"}, "any": {}, "bad": 3},
    "$defs": {"R": {"type": "boolean"}}})");
  struct Case {
    const char* key;
    const char* text;
    const char* wanted;
  };
  const Case cases[] = {
      {"s", "12", R"("12")"},
      {"s", " a\n\"b\" ", R"(" a\n\"b\" ")"},
      {"s", "\"12\"", R"("\"12\"")"},
      {"s", "null", R"("null")"},
      {"i", " 12\n", "12"},
      {"i", "1e400", R"("1e400")"},
      {"i", "twelve", R"("twelve")"},
      {"f", "1.50", "1.50"},
      {"f", "3", "3"},
      {"b", "True", "true"},
      {"b", "false", "false"},
      {"o", "{\"a\": [1, 2]}", "{\"a\": [1, 2]}"},
      {"o", "{'a': 1}", R"("{'a': 1}")"},
      {"l", "[]", "[]"},
      {"l", "{}", "{}"},
      {"n", "null", "null"},
      {"n", "None", "null"},
      {"n", "nothing", R"("nothing")"},
      {"n", "3", R"("3")"},
      {"u", "3", "3"},
      {"u", "x", R"("x")"},
      {"e", "1", R"("1")"},
      {"m", "1", "1"},
      {"r", "True", "true"},
      {"c", "True", "true"},
      {"any", "1", "1"},
      {"any", "x", R"("x")"},
      {"any", "\"x\"", R"("\"x\"")"},
      {"bad", "[1]", "[1]"},
      {"loop", "2", "2"},
      {"unknown", "1", R"("1")"},
      {"i", "", R"("")"},
  };
  for (const Case& c : cases) EXPECT_EQ(types.ToJson(c.key, c.text), c.wanted) << c.key << c.text;
}

TEST(ArgumentTypes, WithoutASchemaTextIsWhatItIs) {
  for (const char* schema : {"", "[]", "{", "{\"properties\": 1}"}) {
    const ArgumentTypes types(schema);
    EXPECT_EQ(types.ToJson("x", "1"), "1") << schema;
    EXPECT_EQ(types.ToJson("x", "one"), R"("one")") << schema;
  }
}

}  // namespace
}  // namespace skerry::engine::internal
