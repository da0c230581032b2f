#include "bundler/inspect/fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"

namespace skerry::inspect {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kEngine[] =
    R"({"architectures":{"gguf":["llama"],"huggingface":["llama","mistral"],"mistral":[]},)"
    R"("format":1,"kv_bytes_per_element":4,"split_gguf":false,"tensor_types":["BF16","F32"],)"
    R"("tokenizers":{"gguf":["llama"],"huggingface":["tokenizer.model"]},"version":"0.1.0"})";

std::string Box(uint64_t memory, uint64_t free) {
  return R"({"engine":)" + std::string(kEngine) + R"(,"format":1,"gpus":[],"memory_bytes":)" +
         std::to_string(memory) + R"(,"reserved_bytes":1000,"store_free_bytes":)" +
         std::to_string(free) + "}";
}

ModelFacts Facts() {
  ModelFacts facts;
  facts.architecture = "mistral";
  facts.tokenizer = "tokenizer.model";
  facts.elements = {{"BF16", 1000}};
  facts.weight_bytes = 2'000'000'000;
  facts.layers = 10;
  facts.kv_heads = 2;
  facts.head_dim = 64;
  facts.context_tokens = 100'000;
  return facts;
}

TEST(FitTest, WhatTheEngineCannotLoad) {
  const EngineSupport engine = ParseEngineSupport(kEngine).value();
  EXPECT_THAT(WhyNotLoadable(Facts(), engine), IsEmpty());
  ModelFacts facts = Facts();
  facts.architecture = "gemma3";
  facts.elements["F8_E4M3"] = 1;
  facts.tokenizer = "tokenizer.json";
  EXPECT_THAT(
      WhyNotLoadable(facts, engine),
      ElementsAre(HasSubstr("'gemma3'"), HasSubstr("type F8_E4M3"), HasSubstr("'tokenizer.json'")));
  facts = Facts();
  facts.format = ModelFormat::kMistral;
  EXPECT_THAT(WhyNotLoadable(facts, engine), ElementsAre(HasSubstr("form 'mistral'")));
  // params.json names no architecture.
  EngineSupport own = engine;
  own.architectures["mistral"] = {"mistral"};
  own.tokenizers["mistral"] = {"tokenizer.model"};
  facts.architecture.clear();
  EXPECT_THAT(WhyNotLoadable(facts, own), IsEmpty());
  facts.format = ModelFormat::kGguf;
  facts.architecture = facts.tokenizer = "llama";
  facts.split_gguf = true;
  EXPECT_THAT(WhyNotLoadable(facts, engine), ElementsAre(HasSubstr("several parts")));
}

TEST(FitTest, NumbersOfWhatDoesNotFit) {
  const uint64_t kv = 2 * 4 * 10 * 2 * 64 * 8192ULL;
  const uint64_t needed = 2'000'000'000 + kv + (512 << 20);
  const BoxProfile enough = ParseBoxProfile(Box(needed, 3'001'000)).value();
  const Fit fit = CheckFit(Facts(), 3'000'000, enough);
  EXPECT_THAT(fit.problems, IsEmpty());
  EXPECT_EQ(fit.kv_bytes, kv);
  EXPECT_EQ(fit.memory_bytes, needed);
  const BoxProfile small = ParseBoxProfile(Box(needed - 1, 3'000'999)).value();
  EXPECT_THAT(
      CheckFit(Facts(), 3'000'000, small).problems,
      ElementsAre(AllOf(HasSubstr("store"), HasSubstr("3000000 bytes"), HasSubstr("3000999 bytes")),
                  AllOf(HasSubstr("memory"), HasSubstr("2000000000 bytes"),
                        HasSubstr(std::to_string(needed - 1) + " bytes"))));
}

TEST(FitTest, ImportBytesRoundUp) {
  format::Manifest manifest;
  manifest.files.push_back({"a", 1, {}, {}});
  manifest.files.push_back({"b", 4096, {}, {}});
  EXPECT_EQ(ImportBytes(manifest), (1U << 20) + 4096 + 8192);
}

TEST(FitTest, BadProfilesNameTheField) {
  const Json good = ParseJson(Box(1, 1)).value();
  const struct {
    const char* patch;
    const char* named;
  } cases[] = {{R"({"format":2})", "'format'"},
               {R"({"memory_bytes":-1})", "'memory_bytes'"},
               {R"({"memory_bytes":null})", "'memory_bytes'"},
               {R"({"gpus":{}})", "'gpus'"},
               {R"({"gpus":[{}]})", "'memory_bytes'"},
               {R"({"engine":null})", "'engine'"},
               {R"({"engine":{"tensor_types":"F32"}})", "'tensor_types'"},
               {R"({"engine":{"architectures":{"gguf":[1]}}})", "'gguf'"}};
  for (const auto& [patch, named] : cases) {
    Json bad = good;
    bad.merge_patch(ParseJson(patch).value());
    const Result<BoxProfile> box = ParseBoxProfile(bad.dump());
    ASSERT_FALSE(box) << patch;
    EXPECT_THAT(box.error().message(), HasSubstr(named)) << patch;
  }
  EXPECT_FALSE(ParseBoxProfile("not json"));
}

}  // namespace
}  // namespace skerry::inspect
