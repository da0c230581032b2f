#include "engine/api/answer_constraints.h"

#include <gtest/gtest.h>

#include "tests/engine/grammar/test_tokenizer.h"

namespace skerry::engine {
namespace {

std::unique_ptr<AnswerConstraints> MakeConstraints() {
  std::vector<std::string> tokens = {"<|end|>"};
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  const TestTokenizer tokenizer(std::move(tokens));
  const std::vector<TokenId> stops = {0};
  return AnswerConstraints::Create(tokenizer, stops, tokenizer.vocab_size()).value();
}

WantedAnswer Text(TextRule::Kind kind, std::string text) {
  WantedAnswer wanted;
  wanted.shape.text = {kind, std::move(text), {}};
  wanted.text_field = "guided_json";
  return wanted;
}

WantedAnswer Calls(std::vector<std::string> schemas, bool strict = false) {
  WantedAnswer wanted;
  wanted.shape.calls.emplace();
  wanted.shape.calls->required = true;
  wanted.shape.calls->several = false;
  wanted.tools_field = "tools";
  for (std::string& schema : schemas) {
    const std::string name = "f" + std::to_string(wanted.names.size());
    wanted.shape.calls->tools.push_back({{{false, name + ":"}}, std::move(schema), {}});
    wanted.names.push_back(name);
    wanted.strict.push_back(strict);
  }
  return wanted;
}

bool Accepts(AnswerConstraints& constraints, const WantedAnswer& wanted, std::string_view text) {
  std::optional<http::ApiError> error;
  const auto constraint = constraints.Get(wanted, error);
  EXPECT_NE(constraint, nullptr) << error->message;
  return constraint != nullptr && Matches(constraint->grammar(), text);
}

http::ApiError Refusal(AnswerConstraints& constraints, const WantedAnswer& wanted) {
  std::optional<http::ApiError> error;
  EXPECT_EQ(constraints.Get(wanted, error), nullptr);
  return error.value_or(http::ApiError{});
}

TEST(AnswerConstraints, TheSameIsCompiledOnce) {
  const auto constraints = MakeConstraints();
  std::optional<http::ApiError> error;
  const WantedAnswer wanted = Text(TextRule::Kind::kJsonSchema, R"({"type":"integer"})");
  const auto first = constraints->Get(wanted, error);
  EXPECT_EQ(constraints->Get(wanted, error), first);
  EXPECT_EQ(constraints->compile_time().count(), 1u);
  EXPECT_NE(constraints->Get(Text(TextRule::Kind::kRegex, "a"), error), first);
  EXPECT_EQ(constraints->compile_time().count(), 2u);
}

TEST(AnswerConstraints, RefusalsNameFieldAndPlace) {
  const auto constraints = MakeConstraints();
  const auto refusal = Refusal(
      *constraints, Text(TextRule::Kind::kJsonSchema, R"({"properties":{"a":{"not":{}}}})"));
  EXPECT_EQ(refusal.status, 400);
  EXPECT_EQ(refusal.code, "invalid_schema");
  EXPECT_EQ(refusal.param, "guided_json");
  EXPECT_NE(refusal.message.find("/properties/a"), std::string::npos) << refusal.message;
  EXPECT_NE(refusal.message.find("guided_json"), std::string::npos) << refusal.message;
  WantedAnswer both = Calls({""});
  both.shape.calls->required = false;
  both.shape.text = {TextRule::Kind::kRegex, "(", {}};
  both.text_field = "guided_regex";
  EXPECT_EQ(Refusal(*constraints, both).param, "guided_regex");
}

TEST(AnswerConstraints, ArgumentsAreObjectsThatObeyTheirSchema) {
  const auto constraints = MakeConstraints();
  const WantedAnswer wanted = Calls(
      {R"({"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]})",
       R"({"properties":{"b":{"$ref":"#/$defs/t"}},"$defs":{"t":{"type":"boolean"}}})", "{}"});
  EXPECT_TRUE(Accepts(*constraints, wanted, R"(f0:{"a":1})"));
  EXPECT_FALSE(Accepts(*constraints, wanted, R"(f0:{"a":true})"));
  EXPECT_TRUE(Accepts(*constraints, wanted, R"(f1:{"b":true})"));
  EXPECT_FALSE(Accepts(*constraints, wanted, R"(f1:5)"));
  EXPECT_TRUE(Accepts(*constraints, wanted, R"(f2:{"x":[1]})"));
  EXPECT_FALSE(Accepts(*constraints, wanted, R"(f2:[1])"));
}

TEST(AnswerConstraints, SchemasOfToolsThatAreNotSupported) {
  const auto constraints = MakeConstraints();
  for (const std::string& schema :
       {std::string(R"({"type":"object","properties":{"a":{"not":{}}}})"),
        std::string(R"({"type":["object","null"]})"), std::string(R"({"type":"string"})")}) {
    // Both ways round: what was kept for one must not serve the other.
    EXPECT_TRUE(Accepts(*constraints, Calls({schema}), R"(f0:{"anything":"goes"})")) << schema;
    const http::ApiError refusal = Refusal(*constraints, Calls({schema}, /*strict=*/true));
    EXPECT_EQ(refusal.code, "invalid_schema");
    EXPECT_EQ(refusal.param, "tools");
    EXPECT_NE(refusal.message.find("'f0'"), std::string::npos) << refusal.message;
    EXPECT_TRUE(Accepts(*constraints, Calls({schema}), R"(f0:{"anything":"goes"})")) << schema;
  }
}

}  // namespace
}  // namespace skerry::engine
