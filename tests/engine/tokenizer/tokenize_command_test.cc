#include "engine/tokenizer/tokenize_command.h"

#include <gtest/gtest.h>

namespace skerry::engine {
namespace {

std::string Tokenized(std::string_view input, bool special, bool json) {
  TokenizeCommand command;
  command.model_path = SKERRY_SOURCE_DIR "/installer/demo-model/model";
  command.special = special;
  command.json = json;
  const auto output = RunTokenize(command, input);
  return output ? *output : "error: " + output.error().message();
}

TEST(TokenizeCommand, TextAndJson) {
  EXPECT_EQ(Tokenized("What is Skerry?", false, false), "[533,324,567,1000]\n");
  EXPECT_EQ(Tokenized("", false, false), "[]\n");
  EXPECT_EQ(Tokenized("[INST]What is Skerry?[/INST]", true, false), "[1,3,533,324,567,1000,4]\n");
  EXPECT_EQ(Tokenized(R"(["What is Skerry?",""])", false, true), "[[533,324,567,1000],[]]\n");
  EXPECT_EQ(Tokenized("[]", false, true), "[]\n");
}

TEST(TokenizeCommand, BadInput) {
  EXPECT_TRUE(Tokenized("{}", false, true).starts_with("error: "));
  EXPECT_TRUE(Tokenized("[1]", false, true).starts_with("error: "));
  EXPECT_TRUE(Tokenized("[", false, true).starts_with("error: "));
}

}  // namespace
}  // namespace skerry::engine
