#include "bundler/inspect/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/base/encode.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/testing/memory_files.h"
#include "tests/bundler/small_model.h"

namespace skerry::inspect {
namespace {

using skerry::testing::Safetensors;
using ::testing::HasSubstr;

std::string Refusal(const std::string& content) {
  skerry::testing::MemoryFiles files;
  EXPECT_TRUE(files.Create("x", 0600).value()->Append(AsBytes(content)));
  const Result<void> checked = CheckSafetensors(*files.OpenRead("x").value());
  if (checked) return "";
  EXPECT_EQ(checked.error().code(), ErrorCode::kCorrupt);
  return checked.error().message();
}

std::string One(const std::string& tensor, size_t data_bytes) {
  return Safetensors("{\"t\":" + tensor + "}", std::string(data_bytes, 'x'));
}

TEST(SafetensorsTest, WellFormed) {
  EXPECT_EQ(Refusal(skerry::testing::SmallSafetensors()), "");
  EXPECT_EQ(Refusal(One(R"({"dtype":"I8","shape":[],"data_offsets":[0,1]})", 1)), "");
  EXPECT_EQ(Refusal(One(R"({"dtype":"F4","shape":[3,2],"data_offsets":[0,3]})", 3)), "");
  EXPECT_EQ(Refusal(One(R"({"dtype":"F32","shape":[0,5],"data_offsets":[0,0]})", 0)), "");
}

TEST(SafetensorsTest, EveryTruncationIsRefused) {
  const std::string good = skerry::testing::SmallSafetensors();
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_NE(Refusal(good.substr(0, size)), "") << size;
  }
  EXPECT_THAT(Refusal(good + "x"), HasSubstr("extra bytes"));
}

TEST(SafetensorsTest, HostileHeaders) {
  EXPECT_THAT(Refusal(skerry::testing::LittleEndian(~uint64_t{0}, 8) + "{}"), HasSubstr("claims"));
  EXPECT_THAT(Refusal(Safetensors("[]", "")), HasSubstr("not JSON"));
  EXPECT_THAT(Refusal(Safetensors("{}", "")), HasSubstr("no tensors"));
  EXPECT_THAT(Refusal(Safetensors("{\"t\":1}", "")), HasSubstr("'t'"));
  EXPECT_THAT(Refusal(One(R"({"dtype":"F99","shape":[1],"data_offsets":[0,4]})", 4)),
              HasSubstr("unknown dtype 'F99'"));
  EXPECT_THAT(Refusal(One(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})", 4)),
              HasSubstr("need 8 bytes"));
  EXPECT_THAT(Refusal(One(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})", 4)),
              HasSubstr("non-negative"));
  EXPECT_THAT(Refusal(One(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})", 4)),
              HasSubstr("[begin, end]"));
  EXPECT_THAT(
      Refusal(
          One(R"({"dtype":"F64","shape":[4503599627370496,4096,4096],"data_offsets":[0,0]})", 0)),
      HasSubstr("overflows"));
  EXPECT_THAT(Refusal(One(R"({"dtype":"F4","shape":[3],"data_offsets":[0,1]})", 1)),
              HasSubstr("need"));
  EXPECT_THAT(Refusal(Safetensors(R"({"__metadata__":{"a":1}})", "")), HasSubstr("strings only"));
  EXPECT_THAT(
      Refusal(Safetensors(
          R"({"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"I8","shape":[2],"data_offsets":[1,3]}})",
          "xyz")),
      HasSubstr("overlap"));
  EXPECT_THAT(
      Refusal(Safetensors(
          R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"I8","shape":[1],"data_offsets":[2,3]}})",
          "xyz")),
      HasSubstr("gap"));
  EXPECT_THAT(
      Refusal(Safetensors(
          R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}})",
          "x")),
      HasSubstr("duplicate"));
}

TEST(SafetensorsTest, RealFiles) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const auto files = OpenFiles(fixtures).value();
  for (const char* name : {"tiny/llama/hf", "tiny/nemo/hf", "tiny/gptoss/hf", "tiny/bert/hf"}) {
    const auto entries = files->List(name).value();
    for (const DirectoryEntry& entry : entries) {
      if (!entry.name.ends_with(".safetensors")) continue;
      const auto file = files->OpenRead(std::string(name) + "/" + entry.name).value();
      const Result<void> checked = CheckSafetensors(*file);
      EXPECT_TRUE(checked) << name << ": " << checked.error().message();
    }
  }
}

}  // namespace
}  // namespace skerry::inspect
