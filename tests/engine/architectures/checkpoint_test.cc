#include "engine/architectures/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "appliance/base/testing/fixtures.h"
#include "tests/engine/formats/gguf_writer.h"

namespace skerry::engine {
namespace {

using ::skerry::testing::TemporaryDirectory;
using testing::GgufWriter;
using ::testing::HasSubstr;

std::string FileOf(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

void Write(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

constexpr const char* kConfig =
    R"({"model_type":"llama","hidden_size":4,"intermediate_size":8,"num_hidden_layers":1,)"
    R"("num_attention_heads":2,"vocab_size":3,"max_position_embeddings":16,"rms_norm_eps":1e-5})";

// The same model as published by Hugging Face and as GGUF: every tensor must come out equal, which
// for q and k means that the order of rotary pairs was undone.
TEST(CheckpointTest, BothFormatsGiveTheSameTensors) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const std::pair<std::string, std::string> pairs[] = {
      {"stories260k/hf", "stories260k/stories260k-f32.gguf"},
      {"tiny/llama/hf", "tiny/llama/llama-f32.gguf"},
      {"tiny/llama3/hf", "tiny/llama3/llama3-f32.gguf"},
      {"tiny/nemo/hf", "tiny/nemo/nemo-f32.gguf"},
  };
  for (const auto& [folder, file] : pairs) {
    const Result<Checkpoint> a = Checkpoint::Open(fixtures + "/" + folder);
    const Result<Checkpoint> b = Checkpoint::Open(fixtures + "/" + file);
    ASSERT_TRUE(a) << a.error().message();
    ASSERT_TRUE(b) << b.error().message();
    EXPECT_EQ(a->gguf(), nullptr);
    EXPECT_NE(b->gguf(), nullptr);
    const ModelConfig& config = a->config();
    ASSERT_EQ(config.ropes.size(), b->config().ropes.size());
    const std::vector<double>& divisors = config.ropes[0].divisors;
    ASSERT_EQ(divisors.size(), b->config().ropes[0].divisors.size());
    for (size_t i = 0; i < divisors.size(); ++i) {
      EXPECT_NEAR(divisors[i], b->config().ropes[0].divisors[i], 1e-5) << folder;
    }
    EXPECT_EQ(config.eos_ids, b->config().eos_ids);
    EXPECT_EQ(config.max_position, b->config().max_position);
    EXPECT_EQ(config.tie_word_embeddings, b->config().tie_word_embeddings);
    for (const WeightSpec& weight : ModelWeights(config)) {
      const Result<Tensor> x = a->Load(weight.name, weight.shape);
      const Result<Tensor> y = b->Load(weight.name, weight.shape);
      ASSERT_TRUE(x) << x.error().message();
      ASSERT_TRUE(y) << y.error().message();
      EXPECT_EQ(ToFloats(*x), ToFloats(*y)) << folder << " " << weight.name;
    }
  }
}

std::string OracleModel(const std::string& name) {
  return std::string(SKERRY_SOURCE_DIR) + "/tests/engine/oracle/models/" + name;
}

// Every tensor of the model as F32, experts one after the other.
std::map<std::string, std::vector<float>> AllValues(const Checkpoint& checkpoint) {
  std::map<std::string, std::vector<float>> all;
  for (const WeightSpec& weight : ModelWeights(checkpoint.config())) {
    std::vector<float>& values = all[weight.name];
    if (weight.shape.size() < 3) {
      const Result<Tensor> tensor = checkpoint.Load(weight.name, weight.shape);
      EXPECT_TRUE(tensor) << tensor.error().message();
      if (tensor) values = ToFloats(*tensor);
      continue;
    }
    const auto experts = checkpoint.LoadExperts(weight.name, weight.shape);
    EXPECT_TRUE(experts) << experts.error().message();
    if (!experts) continue;
    EXPECT_EQ(std::ssize(*experts), weight.shape[0]);
    for (const Tensor& expert : *experts) {
      const std::vector<float> part = ToFloats(expert);
      values.insert(values.end(), part.begin(), part.end());
    }
  }
  return all;
}

// The same weights in two or three layouts: experts apart, stacked or interleaved, norms stored
// minus 1, rotary pairs either way.
TEST(CheckpointTest, LayoutsGiveTheSameTensors) {
  for (const char* name : {"llama-bias", "mistral", "mixtral", "qwen2", "qwen3", "qwen3moe",
                           "gemma3", "gptoss", "bert-mean"}) {
    SCOPED_TRACE(name);
    const auto common = Checkpoint::Open(OracleModel(name) + "/hf");
    ASSERT_TRUE(common) << common.error().message();
    const auto expected = AllValues(*common);
    for (const char* other : {"/native", "/model.gguf"}) {
      const std::string path = OracleModel(name) + other;
      if (!std::filesystem::exists(path)) continue;
      const auto checkpoint = Checkpoint::Open(path);
      ASSERT_TRUE(checkpoint) << checkpoint.error().message();
      EXPECT_EQ(AllValues(*checkpoint), expected) << other;
    }
  }
}

TEST(CheckpointTest, ConfigFormatChoosesBetweenLayouts) {
  TemporaryDirectory folder;
  for (const char* layout : {"hf", "native"}) {
    for (const auto& entry :
         std::filesystem::directory_iterator(OracleModel("mistral") + "/" + layout)) {
      std::filesystem::copy(entry.path(), folder.path());
    }
  }
  // params.json's context is its own; both are there.
  Write(folder.path() + "/generation_config.json", R"({"eos_token_id": 7})");
  const auto both = Checkpoint::Open(folder.path());
  ASSERT_TRUE(both) << both.error().message();
  EXPECT_EQ(both->config().eos_ids.back(), 7);
  const auto own = Checkpoint::Open(folder.path(), ConfigFormat::kMistral);
  ASSERT_TRUE(own) << own.error().message();
  EXPECT_EQ(own->config().eos_ids, std::vector<int32_t>{2});
  std::filesystem::remove(folder.path() + "/model.safetensors");
  EXPECT_EQ(Checkpoint::Open(folder.path())->config().eos_ids, std::vector<int32_t>{2});
  std::filesystem::remove(folder.path() + "/consolidated.safetensors");
  EXPECT_THAT(Checkpoint::Open(folder.path()).error().message(),
              HasSubstr("no consolidated*.safetensors"));
  std::filesystem::remove(folder.path() + "/params.json");
  EXPECT_THAT(Checkpoint::Open(folder.path(), ConfigFormat::kMistral).error().message(),
              HasSubstr("no params.json"));
  EXPECT_THAT(
      Checkpoint::Open(OracleModel("mistral/native"), ConfigFormat::kHuggingFace).error().message(),
      HasSubstr("no config.json"));
}

// A consolidated part that repeats a tensor, whichever of the two would be taken.
TEST(CheckpointTest, RefusesATensorInTwoFiles) {
  TemporaryDirectory folder;
  for (const auto& entry : std::filesystem::directory_iterator(OracleModel("mistral/native"))) {
    std::filesystem::copy(entry.path(), folder.path());
  }
  Write(folder.path() + "/consolidated.01.safetensors",
        FileOf(R"({"norm.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "1234"));
  EXPECT_THAT(Checkpoint::Open(folder.path()).error().message(),
              HasSubstr("tensor 'norm.weight' is in"));
}

TEST(CheckpointTest, NamesMissingExperts) {
  const Json config = {{"model_type", "mixtral"},  {"hidden_size", 4},
                       {"intermediate_size", 8},   {"num_hidden_layers", 1},
                       {"num_attention_heads", 2}, {"num_key_value_heads", 2},
                       {"vocab_size", 3},          {"max_position_embeddings", 16},
                       {"rms_norm_eps", 1e-5},     {"num_local_experts", 2},
                       {"num_experts_per_tok", 1}};
  const std::string prefix = "model.layers.0.block_sparse_moe.experts.";
  const std::vector<int64_t> shape = {2, 8, 4};
  for (const int expert : {0, 2}) {
    TemporaryDirectory folder;
    Write(folder.path() + "/config.json", config.dump());
    Write(folder.path() + "/model.safetensors",
          FileOf("{\"" + prefix + std::to_string(expert) +
                     R"(.w1.weight":{"dtype":"F32","shape":[8,4],"data_offsets":[0,128]}})",
                 std::string(128, '\0')));
    const Result<Checkpoint> checkpoint = Checkpoint::Open(folder.path());
    if (expert == 2) {
      EXPECT_THAT(checkpoint.error().message(), HasSubstr("experts.2.w1.weight' has no place"));
      continue;
    }
    ASSERT_TRUE(checkpoint) << checkpoint.error().message();
    EXPECT_THAT(checkpoint->LoadExperts("layers.0.expert_gate", shape).error().message(),
                HasSubstr("no tensor '" + prefix + "1.w1.weight', expected with shape [8, 4]"));
  }
}

// Of gpt-oss' two tensors of bytes either may be absent or misshapen, and neither may be anything
// but bytes.
TEST(CheckpointTest, NamesDamagedMxfp4) {
  const std::string blocks = "model.layers.0.mlp.experts.down_proj_blocks";
  const std::string scales = "model.layers.0.mlp.experts.down_proj_scales";
  const auto open = [&](TemporaryDirectory& folder, const std::string& header, size_t size) {
    std::filesystem::copy(OracleModel("gptoss/hf/config.json"), folder.path());
    Write(folder.path() + "/model.safetensors", FileOf(header, std::string(size, '\0')));
    return Checkpoint::Open(folder.path());
  };
  const std::vector<int64_t> shape = {5, 32, 32};
  TemporaryDirectory first;
  const auto alone = open(
      first, "{\"" + blocks + R"(":{"dtype":"U8","shape":[5,32,1,16],"data_offsets":[0,2560]}})",
      2560);
  ASSERT_TRUE(alone) << alone.error().message();
  EXPECT_THAT(alone->LoadExperts("layers.0.expert_down", shape).error().message(),
              HasSubstr("no tensor '" + scales + "', expected with shape [5, 32, 1]"));
  TemporaryDirectory second;
  const auto misshapen =
      open(second,
           "{\"" + blocks + R"(":{"dtype":"U8","shape":[5,32,16],"data_offsets":[0,2560]}})", 2560);
  ASSERT_TRUE(misshapen) << misshapen.error().message();
  EXPECT_THAT(misshapen->LoadExperts("layers.0.expert_down", shape).error().message(),
              HasSubstr("has shape [5, 32, 16], expected [5, 32, 1, 16]"));
  TemporaryDirectory third;
  const auto floats =
      open(third, "{\"" + scales + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  EXPECT_THAT(floats.error().message(), HasSubstr("is F32, not U8"));
}

TEST(CheckpointTest, SupportNamesWhatOpens) {
  const CheckpointSupport support = SupportedCheckpoints();
  EXPECT_THAT(support.huggingface, ::testing::IsSupersetOf({"llama", "mistral3", "gpt_oss"}));
  EXPECT_THAT(support.gguf, ::testing::Contains("qwen3moe"));
  EXPECT_THAT(support.mistral, ::testing::ElementsAre("mistral"));
  EXPECT_THAT(support.tensor_types, ::testing::IsSupersetOf({"BF16", "Q4_K", "MXFP4", "U8"}));
}

TEST(CheckpointTest, KeepsStoredTypes) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const std::pair<const char*, DType> cases[] = {{"hf", DType::kBf16},
                                                 {"llama-F16.gguf", DType::kF16},
                                                 {"llama-BF16.gguf", DType::kBf16},
                                                 {"llama-f32.gguf", DType::kF32},
                                                 {"llama-Q8_0.gguf", DType::kQ8_0},
                                                 {"llama-Q4_K.gguf", DType::kQ4_K},
                                                 {"llama-IQ4_XS.gguf", DType::kIq4Xs}};
  for (const auto& [name, dtype] : cases) {
    const Result<Checkpoint> checkpoint = Checkpoint::Open(fixtures + "/tiny/llama/" + name);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message();
    EXPECT_EQ(checkpoint->Load("layers.0.mlp_up", std::vector<int64_t>{512, 256})->dtype, dtype);
  }
}

TEST(CheckpointTest, RefusesOtherArchitecturesAndTypesByName) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const std::pair<const char*, const char*> cases[] = {
      {"vocab", ".gguf files; name one"},
      {"templates", "holds no model"},
      {"no/such/place", "cannot open model"},
  };
  for (const auto& [path, message] : cases) {
    const Result<Checkpoint> checkpoint = Checkpoint::Open(fixtures + "/" + path);
    ASSERT_FALSE(checkpoint) << path;
    EXPECT_THAT(checkpoint.error().message(), HasSubstr(message)) << path;
  }
}

// Well-formed, and of a type that the engine does not compute with.
TEST(CheckpointTest, NamesUnsupportedStoredTypes) {
  TemporaryDirectory folder;
  GgufWriter writer;
  writer.String("general.architecture", "llama");
  for (const char* key : {"context_length", "embedding_length", "block_count",
                          "feed_forward_length", "attention.head_count", "vocab_size"}) {
    writer.U32(std::string("llama.") + key, key[0] == 'e' ? 4 : 1);
  }
  writer.F32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  writer.Tensor("blk.0.ffn_up.weight", {256, 1}, 10, std::string(84, '\0'));
  Write(folder.path() + "/q2.gguf", writer.Finish());
  const Result<Checkpoint> gguf = Checkpoint::Open(folder.path());
  ASSERT_FALSE(gguf);
  EXPECT_THAT(gguf.error().message(),
              HasSubstr("'blk.0.ffn_up.weight' is Q2_K; supported are F32, F16, BF16, "));
}

TEST(CheckpointTest, OpensFolderWithOneGguf) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  TemporaryDirectory folder;
  std::filesystem::copy(fixtures + "/stories260k/stories260k-f32.gguf", folder.path());
  const Result<Checkpoint> checkpoint = Checkpoint::Open(folder.path());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->config().n_layers, 5);
  EXPECT_EQ(checkpoint->folder(), folder.path());
}

TEST(CheckpointTest, NamesMissingAndMisshapenTensors) {
  TemporaryDirectory folder;
  Write(folder.path() + "/config.json", kConfig);
  Write(folder.path() + "/model.safetensors",
        FileOf(R"({"model.norm.weight":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}})",
               std::string(20, '\0')));
  const Result<Checkpoint> checkpoint = Checkpoint::Open(folder.path());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  const auto misshapen = checkpoint->Load("final_norm", std::vector<int64_t>{4});
  ASSERT_FALSE(misshapen);
  EXPECT_THAT(misshapen.error().message(),
              HasSubstr("'model.norm.weight' has shape [5], expected [4]"));
  const auto missing = checkpoint->Load("layers.0.attn_q", std::vector<int64_t>{4, 4});
  ASSERT_FALSE(missing);
  EXPECT_THAT(
      missing.error().message(),
      HasSubstr("no tensor 'model.layers.0.self_attn.q_proj.weight', expected with shape [4, 4]"));
}

// The first thing that is wrong with a checkpoint, of all that loading it would read; empty when
// nothing is.
std::string Complaint(const std::string& path) {
  const Result<Checkpoint> checkpoint = Checkpoint::Open(path);
  if (!checkpoint) return checkpoint.error().message();
  for (const WeightSpec& weight : ModelWeights(checkpoint->config())) {
    const Result<Tensor> tensor = checkpoint->Load(weight.name, weight.shape);
    if (!tensor) return tensor.error().message();
  }
  return "";
}

// What a broken download or copy leaves: the message has the file, the tensor where one can be
// told, and what to do.
TEST(CheckpointTest, DamagedFoldersNameWhatIsMissing) {
  namespace fs = std::filesystem;
  const auto cut = [](const std::string& name, uintmax_t bytes) {
    return [=](const fs::path& folder) {
      fs::resize_file(folder / name, fs::file_size(folder / name) - bytes);
    };
  };
  const auto keep = [](const std::string& name, uintmax_t bytes) {
    return [=](const fs::path& folder) { fs::resize_file(folder / name, bytes); };
  };
  const auto remove = [](const std::string& name) {
    return [=](const fs::path& folder) { fs::remove(folder / name); };
  };
  const std::string index = "model.safetensors.index.json";
  const auto add_to_index = [&](const fs::path& folder) {
    Json json;
    std::ifstream(folder / index) >> json;
    json["weight_map"]["model.layers.9.extra.weight"] = "model-00002-of-00002.safetensors";
    std::ofstream(folder / index) << json;
  };
  const std::string second = "model-00002-of-00002.safetensors";
  const std::string own_second = "consolidated-00002-of-00002.safetensors";
  const auto remove_own_second_and_index = [&](const fs::path& folder) {
    fs::remove(folder / own_second);
    fs::remove(folder / "consolidated.safetensors.index.json");
  };
  struct Case {
    std::string model;
    std::function<void(const fs::path&)> damage;
    std::vector<std::string> parts;  // of the message
  };
  const std::string again = "copy or download it again";
  const Case cases[] = {
      {"llama3-v5/hf", remove(second), {second + "' is missing", "places tensor 'model.", again}},
      {"llama3-v5/hf", cut(second, 1), {second + "': tensor 'model.", "cut short?", again}},
      {"llama3-v5/hf", keep(second, 100), {second + "': ends inside its header", again}},
      {"llama3-v5/hf", keep(second, 7), {second + "': too short", again}},
      {"llama3-v5/hf", keep(second, 0), {second + "' is empty", again}},
      {"llama3-v5/hf", add_to_index, {second + "': lacks tensor 'model.layers.9.extra.weight'"}},
      {"llama3-v5/hf", remove(index), {"has no weights: neither 'model.safetensors' nor"}},
      {"llama3-v5/hf", cut(index, 5), {index + "'"}},
      {"llama3-v5/hf", remove("config.json"), {"holds no model"}},
      {"mistral/hf", cut("model.safetensors", 9), {"model.safetensors': tensor '", "cut short?"}},
      {"mistral/native",
       cut("consolidated.safetensors", 3),
       {"consolidated.safetensors': tensor '", "cut short?", again}},
      {"mistral-window/native", remove(own_second), {own_second + "' is missing", again}},
      {"mistral-window/native", cut(own_second, 2), {own_second + "': tensor '", again}},
      {"mistral-window/native", remove_own_second_and_index, {"has no tensor '", "missing"}},
      {"gguf-split",
       remove("model-00001-of-00003.gguf"),
       {"is part 2 of 3; the first is missing, '", "model-00001-of-00003.gguf'", again}},
      {"gguf-split",
       remove("model-00003-of-00003.gguf"),
       {"model-00003-of-00003.gguf' is missing: part 3 of 3", again}},
      {"gguf-split",
       cut("model-00002-of-00003.gguf", 40),
       {"model-00002-of-00003.gguf': tensor '", "cut short?", again}},
      {"gguf-split",
       keep("model-00002-of-00003.gguf", 60),
       {"model-00002-of-00003.gguf': ends inside the", again}},
      {"gguf-split",
       keep("model-00001-of-00003.gguf", 0),
       {"model-00001-of-00003.gguf' is empty", again}},
  };
  for (const Case& c : cases) {
    TemporaryDirectory folder;
    fs::copy(OracleModel(c.model), folder.path(), fs::copy_options::recursive);
    ASSERT_EQ(Complaint(folder.path()), "") << c.model;
    c.damage(folder.path());
    const std::string complaint = Complaint(folder.path());
    for (const std::string& part : c.parts) EXPECT_THAT(complaint, HasSubstr(part)) << c.model;
  }
}

// Wherever a download ended.
TEST(CheckpointTest, RefusesEveryCutFile) {
  namespace fs = std::filesystem;
  constexpr uintmax_t kCuts = 40;
  for (const std::string name : {"ministral3/hf/model.safetensors", "gguf-k/model.gguf",
                                 "ministral3/native/consolidated.safetensors"}) {
    TemporaryDirectory folder;
    const fs::path source = OracleModel(name);
    fs::copy(source.parent_path(), folder.path(), fs::copy_options::recursive);
    const fs::path copy = folder.path() / source.filename();
    const uintmax_t size = fs::file_size(copy);
    const std::string path = copy.extension() == ".gguf" ? copy.string() : folder.path();
    ASSERT_EQ(Complaint(path), "") << name;
    for (uintmax_t i = kCuts; i-- > 0;) {  // shorter and shorter
      fs::resize_file(copy, size * i / kCuts);
      EXPECT_THAT(Complaint(path), HasSubstr(copy.filename().string())) << name << " " << i;
    }
  }
}

TEST(CheckpointTest, RefusesTensorsWithoutAPlace) {
  for (const std::string name :
       {"model.layers.0.self_attn.q_proj.bias", "model.layers.1.input_layernorm.weight",
        "model.layers.00.input_layernorm.weight", "model.layers.-1.input_layernorm.weight",
        "model.layers..input_layernorm.weight", "model.layers.0", "score.weight"}) {
    TemporaryDirectory folder;
    Write(folder.path() + "/config.json", kConfig);
    Write(folder.path() + "/model.safetensors",
          FileOf("{\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                 "1234"));
    const Result<Checkpoint> checkpoint = Checkpoint::Open(folder.path());
    ASSERT_FALSE(checkpoint) << name;
    EXPECT_THAT(checkpoint.error().message(), HasSubstr("'" + name + "' has no place"));
  }
}

TEST(CheckpointTest, CopiesUnalignedData) {
  TemporaryDirectory folder;
  Write(folder.path() + "/config.json", kConfig);
  std::string header = R"({"model.norm.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  while (header.size() % 4 != 1) header += ' ';
  const float values[] = {1.5F, -2.0F};
  Write(folder.path() + "/model.safetensors",
        FileOf(header, std::string(reinterpret_cast<const char*>(values), sizeof(values))));
  const Result<Checkpoint> checkpoint = Checkpoint::Open(folder.path());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  const auto tensor = checkpoint->Load("final_norm", std::vector<int64_t>{2});
  ASSERT_TRUE(tensor) << tensor.error().message();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor->bytes.data()) % 4, 0U);
  EXPECT_EQ(ToFloats(*tensor), (std::vector<float>{1.5F, -2.0F}));
}

}  // namespace
}  // namespace skerry::engine
