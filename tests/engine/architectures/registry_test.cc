#include "engine/architectures/registry.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace skerry::engine {
namespace {

TEST(RegistryTest, NamesAreUnique) {
  std::set<std::string_view> names;
  std::set<std::string_view> model_types;
  std::set<std::pair<std::string_view, std::string_view>> wrapped;  // and what they wrap
  std::set<std::string_view> gguf_names;
  for (const Architecture* architecture : Architectures()) {
    EXPECT_TRUE(names.insert(architecture->name).second) << architecture->name;
    const HuggingFaceSide& side = architecture->hugging_face;
    EXPECT_TRUE(model_types.insert(side.model_type).second) << side.model_type;
    for (const Wrapper& wrapper : side.wrappers) {
      EXPECT_TRUE(wrapped.emplace(wrapper.model_type, side.model_type).second)
          << wrapper.model_type;
    }
    for (const std::string_view name : architecture->gguf.names) {
      EXPECT_TRUE(gguf_names.insert(name).second) << name;
    }
  }
}

TEST(RegistryTest, EveryNameIsFound) {
  const Wrapper* wrapper = nullptr;
  for (const Architecture* architecture : Architectures()) {
    const HuggingFaceSide& side = architecture->hugging_face;
    EXPECT_EQ(FindByModelType(side.model_type, "", &wrapper), architecture);
    EXPECT_EQ(wrapper, nullptr);
    for (const Wrapper& candidate : side.wrappers) {
      EXPECT_EQ(FindByModelType(candidate.model_type, side.model_type, &wrapper), architecture);
      EXPECT_EQ(wrapper, &candidate);
    }
    for (const std::string_view name : architecture->gguf.names) {
      EXPECT_EQ(FindByGgufName(name), architecture);
    }
  }
  EXPECT_EQ(FindByModelType("gpt2", "llama", &wrapper), nullptr);
  EXPECT_EQ(FindByModelType("", "", &wrapper), nullptr);
  for (const char* text_type : {"", "mistral", "llama"}) {
    EXPECT_EQ(FindByModelType("mistral3", text_type, &wrapper), &MistralArchitecture());
  }
  EXPECT_EQ(FindByGgufName("gpt2"), nullptr);
}

// What CheckKeys parses when it meets them must be JSON.
TEST(RegistryTest, LiteralsAreJson) {
  for (const Architecture* architecture : Architectures()) {
    for (const Neutral& neutral : architecture->hugging_face.neutral) {
      EXPECT_TRUE(Json::accept(neutral.value)) << neutral.key;
    }
    for (const Wrapper& wrapper : architecture->hugging_face.wrappers) {
      EXPECT_TRUE(Json::accept(wrapper.text_defaults)) << wrapper.model_type;
    }
  }
}

TEST(RegistryTest, FindsTensorNames) {
  const TensorName* row = FindTensorName(LlamaArchitecture(), "attn_q");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->gguf, "blk.#.attn_q.weight");
  EXPECT_EQ(FindTensorName(LlamaArchitecture(), "attn_sinks"), nullptr);
}

}  // namespace
}  // namespace skerry::engine
