#include "engine/chat/template_kwargs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace skerry::engine {
namespace {

using ::testing::HasSubstr;

std::string Refusal(const std::string& json) {
  JsonLimits limits;
  limits.max_depth = 64;
  const Result<void> checked = CheckTemplateKwargs(json, ParseJson(json, limits).value());
  return checked ? "" : checked.error().message();
}

TEST(TemplateKwargs, WhatTheServerDecidesIsRefused) {
  for (const char* key : {"messages", "tools", "bos_token", "eos_token", "unk_token",
                          "add_generation_prompt", "raise_exception", "strftime_now"}) {
    EXPECT_THAT(Refusal(std::string("{\"") + key + "\": 1}"), HasSubstr(key));
  }
  EXPECT_EQ(Refusal(R"({"enable_thinking": false, "builtin_tools": ["browser"], "x": {"y": 1}})"),
            "");
  EXPECT_EQ(Refusal("{}"), "");
}

TEST(TemplateKwargs, AreBounded) {
  std::string many = "{";
  for (size_t i = 0; i <= kMaxTemplateKwargs; ++i) {
    many += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":0";
  }
  EXPECT_THAT(Refusal(many + "}"), HasSubstr("more than 64 variables"));
  EXPECT_THAT(Refusal("{\"x\": \"" + std::string(kMaxTemplateKwargsBytes, 'x') + "\"}"),
              HasSubstr("longer than 16384 bytes"));
  const auto nested = [](size_t depth) {
    return "{\"x\": " + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(Refusal(nested(kMaxTemplateKwargsDepth - 1)), "");
  EXPECT_THAT(Refusal(nested(kMaxTemplateKwargsDepth)), HasSubstr("nested deeper than 8"));
}

TEST(TemplateKwargs, TheEffort) {
  EXPECT_EQ(ChosenEffort("low", ""), "low");
  EXPECT_EQ(ChosenEffort("low", R"({"reasoning_effort": "high"})"), "high");
  EXPECT_EQ(ChosenEffort("low", R"({"enable_thinking": false})"), "low");
  EXPECT_EQ(ChosenEffort("", R"({"enable_thinking": false})"), "none");
  EXPECT_EQ(ChosenEffort("", R"({"enable_thinking": true})"), "high");
  EXPECT_EQ(ChosenEffort("", R"({"enable_thinking": "yes"})"), "");
  EXPECT_EQ(ChosenEffort("", ""), "");
}

}  // namespace
}  // namespace skerry::engine
