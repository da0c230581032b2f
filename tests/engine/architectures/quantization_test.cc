#include "engine/architectures/quantization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/architectures/checkpoint.h"

namespace skerry::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json Compressed() {
  return Json::parse(R"({"quant_method":"compressed-tensors","format":"float-quantized",
      "quantization_status":"compressed","ignore":["lm_head"],"kv_cache_scheme":null,
      "config_groups":{"group_0":{"targets":["Linear"],
        "weights":{"num_bits":8,"type":"float","strategy":"channel","symmetric":true,"dynamic":false},
        "input_activations":{"num_bits":8,"type":"float","strategy":"token","dynamic":true}}}})");
}

Result<Quantization> Read(const Json& quantization) {
  return ReadQuantization({{"quantization_config", quantization}});
}

TEST(QuantizationTest, ReadsWhatIsSupported) {
  EXPECT_EQ(ReadQuantization(Json::object())->method, "");
  EXPECT_EQ(ReadQuantization({{"quantization_config", nullptr}})->method, "");
  const Result<Quantization> block =
      Read(Json::parse(R"({"quant_method":"fp8","activation_scheme":"dynamic","fmt":"e4m3",
                      "weight_block_size":[128,64],"modules_to_not_convert":["lm_head"]})"));
  ASSERT_TRUE(block) << block.error().message();
  EXPECT_EQ(block->block_rows, 128);
  EXPECT_EQ(block->block_cols, 64);
  const Result<Quantization> whole =
      Read(Json::parse(R"({"quant_method":"fp8","activation_scheme":"static"})"));
  ASSERT_TRUE(whole) << whole.error().message();
  EXPECT_EQ(whole->block_rows, 0);
  EXPECT_EQ(Read(Compressed())->method, "compressed-tensors");
  Json tiles = Compressed();
  tiles["config_groups"]["group_0"]["weights"]["strategy"] = "block";
  tiles["config_groups"]["group_0"]["weights"]["block_structure"] = {16, 32};
  EXPECT_EQ(Read(tiles)->block_cols, 32);
  EXPECT_TRUE(Read(Json::parse(
      R"({"quant_method":"modelopt","quant_algo":"FP8","kv_cache_quant_algo":"FP8",
          "exclude_modules":["lm_head"],"producer":{"name":"modelopt"}})")));
  EXPECT_TRUE(Read(Json::parse(R"({"quant_method":"mxfp4","modules_to_not_convert":["a"]})")));
  const Json native = {{"qformat_weight", "fp8_e4m3"}, {"qscheme_act", "TENSOR"}};
  EXPECT_EQ(ReadNativeQuantization({{"quantization", native}})->method, "fp8_e4m3");
  EXPECT_EQ(ReadNativeQuantization(Json::object())->method, "");
}

TEST(QuantizationTest, RefusesTheRestByName) {
  auto compressed = [](const char* path, Json value) {
    Json json = Compressed();
    json[Json::json_pointer(path)] = std::move(value);
    return json;
  };
  const char* weights = "/config_groups/group_0/weights/";
  const std::pair<Json, const char*> cases[] = {
      {Json::array(), "not an object"},
      {Json::object(), "quant_method"},
      {{{"quant_method", "awq"}}, "quant_method 'awq' is not supported; fp8"},
      {{{"quant_method", "gptq"}, {"bits", 4}}, "quant_method 'gptq'"},
      {{{"quant_method", "bitsandbytes"}}, "quant_method 'bitsandbytes'"},
      {{{"quant_method", "fp8"}, {"fmt", "e5m2"}}, "'fmt' is 'e5m2'"},
      {{{"quant_method", "fp8"}, {"weight_block_size", {128}}}, "'weight_block_size'"},
      {{{"quant_method", "fp8"}, {"weight_block_size", {128, 0}}}, "'weight_block_size'"},
      {{{"quant_method", "fp8"}, {"weight_block_size", {1 << 20, 1}}}, "'weight_block_size'"},
      {{{"quant_method", "fp8"}, {"rotation", "hadamard"}}, "'rotation' is not known"},
      {{{"quant_method", "modelopt"}, {"quant_algo", "NVFP4"}}, "'quant_algo' is 'NVFP4'"},
      {compressed("/format", "pack-quantized"), "'format' is 'pack-quantized'"},
      {compressed("/format", "nvfp4-pack-quantized"), "'format' is 'nvfp4-pack-quantized'"},
      {compressed("/transform_config", {{"config_groups", {{"u", 1}}}}), "'transform_config'"},
      {compressed("/sparsity_config", {{"format", "sparse-24"}}), "'sparsity_config'"},
      {compressed("/new_key", 1), "'new_key' is not known"},
      {compressed((std::string(weights) + "num_bits").c_str(), 4), "4-bit type 'float'"},
      {compressed((std::string(weights) + "type").c_str(), "int"), "8-bit type 'int'"},
      {compressed((std::string(weights) + "strategy").c_str(), "group"), "'strategy'"},
      {compressed((std::string(weights) + "symmetric").c_str(), false), "'symmetric'"},
      {compressed("/config_groups/group_0", 3), "'group_0' of 'config_groups' has no 'weights'"},
      {compressed("/config_groups", 3), "'config_groups' is not an object"},
  };
  for (const auto& [json, message] : cases) {
    const Result<Quantization> read = Read(json);
    ASSERT_FALSE(read) << json;
    EXPECT_THAT(read.error().message(), HasSubstr("'quantization_config'"));
    EXPECT_THAT(read.error().message(), HasSubstr(message));
  }
  const Json native = {{"qformat_weight", "nvfp4"}};
  EXPECT_THAT(ReadNativeQuantization({{"quantization", native}}).error().message(),
              HasSubstr("'qformat_weight' is 'nvfp4'"));
}

TEST(QuantizationTest, KnowsWhatBelongsToAMatrix) {
  EXPECT_THAT(
      ScaleNames("a.q_proj.weight"),
      ElementsAre("a.q_proj.weight_scale", "a.q_proj.weight_scale_inv", "a.q_proj.qscale_weight"));
  EXPECT_TRUE(ScaleNames("a.q_proj.bias").empty());
  for (const char* name : {"x.weight_scale", "x.weight_scale_inv", "x.qscale_weight",
                           "x.input_scale", "x.activation_scale", "x.qscale_act", "x.k_scale"}) {
    EXPECT_EQ(WeightOfScale(name), "x.weight") << name;
  }
  EXPECT_EQ(WeightOfScale("x.weight"), "");
}

Result<Scales> ScalesOf(const Quantization& quantization, std::vector<int64_t> matrix,
                        std::vector<int64_t> shape, std::vector<float> values) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
  return ReadScales(quantization, matrix,
                    {DType::kF32, std::move(shape), {bytes, values.size() * 4}, nullptr});
}

TEST(QuantizationTest, ScalesFitTheirMatrix) {
  const Quantization plain;
  const Quantization tiles{"fp8", 2, 4};
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{}, std::vector<int64_t>{1}, std::vector<int64_t>{1, 1}}) {
    const Result<Scales> whole = ScalesOf(plain, {3, 5}, shape, {2});
    ASSERT_TRUE(whole) << whole.error().message();
    EXPECT_EQ(whole->Row(2, 5)[0], 2);
  }
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{3}, std::vector<int64_t>{3, 1}}) {
    const Result<Scales> rows = ScalesOf(plain, {3, 5}, shape, {2, 3, 4});
    ASSERT_TRUE(rows) << rows.error().message();
    EXPECT_EQ(rows->Row(2, 5)[0], 4);
  }
  const Result<Scales> tiled = ScalesOf(tiles, {3, 5}, {2, 2}, {1, 2, 3, 4});
  ASSERT_TRUE(tiled) << tiled.error().message();
  EXPECT_EQ(tiled->Row(1, 5)[1], 2);
  EXPECT_EQ(tiled->Row(2, 5)[0], 3);
  EXPECT_FALSE(ScalesOf(plain, {3, 5}, {2}, {1, 2}));
  EXPECT_FALSE(ScalesOf(plain, {3, 5}, {5}, {1, 2, 3, 4, 5}));
  EXPECT_FALSE(ScalesOf(plain, {3, 5}, {0}, {}));
  EXPECT_FALSE(ScalesOf(plain, {2, 3, 5}, {1}, {1}));
  EXPECT_FALSE(ScalesOf(tiles, {3, 5}, {1}, {1}));
  EXPECT_FALSE(ScalesOf(tiles, {3, 5}, {2, 1}, {1, 2}));
  EXPECT_FALSE(ScalesOf(plain, {3, 5}, {1}, {INFINITY}));
  EXPECT_FALSE(ScalesOf(plain, {3, 5}, {1}, {NAN}));
}

// A checkpoint of every scheme: matrices come with factors, and the tensors that hold them have no
// place of their own.
TEST(QuantizationTest, CheckpointsCarryScales) {
  const std::string models = std::string(SKERRY_SOURCE_DIR) + "/tests/engine/oracle/models/";
  struct Case {
    const char* name;
    int64_t rows;
    int64_t block_rows;
  };
  for (const Case& c : {Case{"fp8-tensor/hf", 56, 56}, Case{"fp8-static/hf", 56, 56},
                        Case{"fp8-ct-block/hf", 56, 16}, Case{"fp8-mistral/hf", 56, 56}}) {
    const Result<Checkpoint> checkpoint = Checkpoint::Open(models + c.name);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message();
    const int64_t shape[] = {c.rows, checkpoint->config().hidden_size};
    const Result<Tensor> tensor = checkpoint->Load("layers.0.mlp_up", shape);
    ASSERT_TRUE(tensor) << tensor.error().message();
    EXPECT_EQ(tensor->dtype, DType::kF8E4M3);
    ASSERT_TRUE(tensor->scales);
    EXPECT_EQ(tensor->scales.block_rows, c.block_rows);
  }
}

}  // namespace
}  // namespace skerry::engine
