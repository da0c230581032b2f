#include "engine/architectures/quantization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "appliance/base/testing/fixtures.h"
#include "engine/architectures/checkpoint.h"
#include "engine/architectures/internal/layouts.h"

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

TEST(QuantizationTest, ReadsTheListOfUnquantisedModules) {
  const Result<Quantization> fp8 = Read(
      Json::parse(R"({"quant_method":"fp8","modules_to_not_convert":["lm_head","model.vision"]})"));
  ASSERT_TRUE(fp8) << fp8.error().message();
  EXPECT_THAT(fp8->unquantised, ElementsAre("lm_head", "model.vision"));
  EXPECT_EQ(fp8->unquantised_key, "modules_to_not_convert");
  EXPECT_EQ(Read(Compressed())->unquantised_key, "ignore");
  EXPECT_TRUE(Read(Json::parse(R"({"quant_method":"fp8","ignored_layers":null})")));
  for (const char* list : {R"("lm_head")", "[1]", R"({"a":"b"})", "[null]"}) {
    Json json = {{"quant_method", "fp8"}};
    json["ignored_layers"] = Json::parse(list);
    EXPECT_THAT(Read(json).error().message(), HasSubstr("'ignored_layers' is not a list")) << list;
  }
}

TEST(QuantizationTest, EntriesNameModules) {
  struct Case {
    const char* entry;
    const char* weight;
    bool named;
  };
  const char* gate = "model.layers.0.mlp.gate.weight";
  const char* gate_proj = "model.layers.0.mlp.gate_proj.weight";
  const char* inside = "language_model.model.layers.0.mlp.gate.weight";
  const Case cases[] = {
      {"lm_head", "lm_head.weight", true},
      {"lm_head", "language_model.lm_head.weight", true},
      {"head", "lm_head.weight", false},
      {"gate", gate, true},
      {"gate", gate_proj, false},
      {"model.layers.0", gate_proj, true},
      {"model.layers.0.mlp.gate", inside, true},
      {"model.layers.1", "model.layers.10.mlp.gate.weight", false},
      {"layers.0.mlp.gate", "layers.0.mlp.gate_up.gate.weight", false},
      {"*lm_head*", "lm_head.weight", true},
      {"model.layers.*.mlp", gate_proj, true},
      {"model.layers.*.ml", gate_proj, false},
      {"*.gate", gate_proj, false},
      {"*.gate", gate, true},
      {"re:.*lm_head", "lm_head.weight", true},
      {"re:.*gate$", gate, true},
      {"re:.*gate$", gate_proj, false},
      {"re:.*gate", gate_proj, true},
      {"re:^model\\.layers\\.0\\..*", gate, true},
      {"re:gate", gate, false},          // from the beginning only
      {"re:.*(gate|up)$", gate, false},  // more than is understood
      {"", gate, false},
      {"re:", gate, true},
      {"gate", "model.layers.0.mlp.gate.bias", false},
  };
  for (const Case& c : cases) {
    Quantization quantization;
    quantization.unquantised = {"other", c.entry};
    EXPECT_EQ(UnquantisedEntry(quantization, c.weight), c.named ? c.entry : "")
        << c.entry << " " << c.weight;
  }
  // Many patterns against a long name: no more than the product of their lengths.
  Quantization many;
  many.unquantised.assign(100, "re:" + std::string(200, 'a') + ".*a.*a.*a.*a.*b$");
  EXPECT_EQ(UnquantisedEntry(many, std::string(5000, 'a') + ".weight"), "");
}

// The file says FP8, the configuration that it is not quantised.
TEST(QuantizationTest, ListedMatricesOfFp8AreRefused) {
  namespace fs = std::filesystem;
  const fs::path original =
      fs::path(SKERRY_SOURCE_DIR) / "tests/engine/oracle/models/fp8-static/hf";
  const skerry::testing::TemporaryDirectory folder;
  fs::copy(original / "model.safetensors", folder.path());
  Json config;
  std::ifstream(original / "config.json") >> config;
  const auto open = [&](const char* entry) {
    config["quantization_config"]["ignored_layers"] = {"lm_head", entry};
    std::ofstream(folder.path() + "/config.json") << config;
    return Checkpoint::Open(folder.path());
  };
  const Result<Checkpoint> listed = open("model.layers.1.mlp.up_proj");
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code(), ErrorCode::kCorrupt);
  EXPECT_THAT(
      listed.error().message(),
      HasSubstr("model.safetensors': tensor 'model.layers.1.mlp.up_proj.weight' is F8_E4M3, "
                "but 'ignored_layers' of the configuration lists "
                "'model.layers.1.mlp.up_proj' as not quantised"));
  EXPECT_TRUE(open("model.layers.2"));  // there is none
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

// Rows of q and k that change places take their factors along, whatever the tiles are.
TEST(QuantizationTest, ScalesMoveWithTheirRows) {
  constexpr int64_t kRows = 12;
  constexpr int64_t kCols = 5;
  constexpr int64_t kHeads = 2;
  std::vector<uint8_t> codes(kRows * kCols);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i);
  const int64_t shape[] = {kRows, kCols};
  const std::pair<int64_t, int64_t> tiles[] = {{1, kCols}, {1, 2},         {4, 2},
                                               {5, 3},     {kRows, kCols}, {kRows, 2}};
  for (const auto& [rows, cols] : tiles) {
    std::vector<float> values((kRows + rows - 1) / rows * ((kCols + cols - 1) / cols));
    for (size_t i = 0; i < values.size(); ++i) values[i] = 1.0F + static_cast<float>(i);
    const Scales scales{std::make_shared<const std::vector<float>>(values), rows, cols};
    const std::vector<float> before =
        ToFloats({DType::kF8E4M3, {kRows, kCols}, codes, nullptr, scales});
    const std::vector<uint8_t> moved = internal::SplitPairs(codes, kHeads, kRows);
    const std::vector<float> after = ToFloats({DType::kF8E4M3,
                                               {kRows, kCols},
                                               moved,
                                               nullptr,
                                               internal::SplitPairs(scales, kHeads, shape)});
    // The definition: of each head the first of all pairs, then the second.
    const int64_t from[] = {0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11};
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t c = 0; c < kCols; ++c) {
        EXPECT_EQ(after[row * kCols + c], before[from[row] * kCols + c]) << rows << " x " << cols;
      }
    }
  }
  EXPECT_FALSE(internal::SplitPairs(Scales(), kHeads, shape));
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
