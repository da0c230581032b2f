#include "engine/architectures/quantization.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/architectures/internal/hf_reader.h"
#include "engine/architectures/internal/module_pattern.h"

namespace skerry::engine {
namespace {

using internal::Given;
using internal::Unsupported;

constexpr int64_t kMaxBlock = 1 << 16;
// Above every published list.
constexpr size_t kMaxUnquantised = 1 << 16;
constexpr size_t kMaxEntryBytes = 1024;

constexpr std::string_view kWeight = ".weight";
// "weight_scale_inv" multiplies, too, despite its name.
constexpr std::string_view kWeightScales[] = {".weight_scale", ".weight_scale_inv",
                                              ".qscale_weight"};
constexpr std::string_view kActivationScales[] = {
    ".input_scale", ".activation_scale", ".qscale_act", ".output_scale", ".k_scale", ".v_scale"};

// The modules that are stored unquantised. Their tensors' types say so, too; the two are compared.
constexpr std::string_view kUnquantisedKeys[] = {"ignored_layers", "modules_to_not_convert",
                                                 "exclude_modules", "ignore"};

// Keys whose value does not change the weights: bookkeeping, rounding of activations and of keys
// and values.
constexpr std::string_view kFp8Keys[] = {
    "quant_method",
    "activation_scheme",
    "fmt",
    "weight_block_size",
    "ignored_layers",
    "modules_to_not_convert",
    "ignore",
    "dequantize",
    "scale_fmt",
    "kv_cache_scheme",
    "is_checkpoint_fp8_serialized",
};
constexpr std::string_view kCompressedKeys[] = {
    "quant_method",    "format",           "quantization_status", "global_compression_ratio",
    "ignore",          "kv_cache_scheme",  "config_groups",       "version",
    "sparsity_config", "transform_config",
};
constexpr std::string_view kModeloptKeys[] = {
    "quant_method", "quant_algo", "kv_cache_quant_algo", "kv_cache_scheme", "exclude_modules",
    "ignore",       "producer",   "config_groups",
};

constexpr std::string_view kNativeKeys[] = {"qformat_weight", "qscheme_act"};

Result<void> CheckKeys(const Json& json, std::span<const std::string_view> known) {
  for (const auto& [key, value] : json.items()) {
    if (value.is_null() || std::ranges::find(known, key) != known.end()) continue;
    return Unsupported("'" + key + "' is not known; it may change what the weights mean");
  }
  return {};
}

// One list at most is expected; several would be one.
Result<void> ReadUnquantised(const Json& json, Quantization& out) {
  for (const std::string_view key : kUnquantisedKeys) {
    if (!Given(json, key)) continue;
    const Json& list = json[key];
    const bool good =
        list.is_array() && list.size() <= kMaxUnquantised &&
        std::ranges::all_of(list, [](const Json& entry) {
          return entry.is_string() && entry.get_ref<const std::string&>().size() <= kMaxEntryBytes;
        });
    if (!good) return Unsupported("'" + std::string(key) + "' is not a list of module names");
    for (const Json& entry : list) out.unquantised.push_back(entry.get<std::string>());
    if (!out.unquantised_key.empty()) out.unquantised_key += "' and '";
    out.unquantised_key += key;
  }
  return {};
}

// A pair of tile sizes; nothing to do when the key is absent or null.
Result<void> ReadBlock(const Json& json, std::string_view key, Quantization& out) {
  if (!Given(json, key)) return {};
  const Json& pair = json[key];
  const bool good = pair.is_array() && pair.size() == 2 && pair[0].is_number_integer() &&
                    pair[1].is_number_integer() && pair[0] > 0 && pair[1] > 0 &&
                    pair[0] <= kMaxBlock && pair[1] <= kMaxBlock;
  if (!good) return Unsupported("'" + std::string(key) + "' is not a pair of tile sizes");
  const auto rows = pair[0].get<int64_t>();
  const auto cols = pair[1].get<int64_t>();
  if (out.block_rows != 0 && (out.block_rows != rows || out.block_cols != cols)) {
    return Unsupported("tiles of different sizes in one checkpoint are not supported");
  }
  out.block_rows = rows;
  out.block_cols = cols;
  return {};
}

Result<void> ReadFp8(const Json& json, Quantization& out) {
  TRY(CheckKeys(json, kFp8Keys));
  const std::string format = TRY(GetStringOr(json, "fmt", "e4m3"));
  if (format != "e4m3") return Unsupported("'fmt' is '" + format + "'; only e4m3 is supported");
  return ReadBlock(json, "weight_block_size", out);
}

// Of one group of modules: 8-bit floats, scaled and nothing else.
Result<void> ReadWeights(const Json& weights, Quantization& out) {
  if (!weights.is_object()) return Unsupported("'weights' is not an object");
  const int64_t bits = TRY(GetInt(weights, "num_bits"));
  const std::string type = TRY(GetString(weights, "type"));
  if (bits != 8 || type != "float") {
    return Unsupported("weights of " + std::to_string(bits) + "-bit type '" + type +
                       "' are not supported; 8-bit floats are");
  }
  const bool symmetric = TRY(internal::BoolOr(weights, "symmetric", true));
  if (!symmetric) return Unsupported("'symmetric' of the weights is supported only as true");
  const std::string strategy = TRY(GetStringOr(weights, "strategy", "tensor"));
  if (strategy != "tensor" && strategy != "channel" && strategy != "block") {
    return Unsupported("'strategy' of the weights is '" + strategy +
                       "'; tensor, channel and block are supported");
  }
  return ReadBlock(weights, "block_structure", out);
}

Result<void> ReadGroups(const Json& json, Quantization& out) {
  if (!Given(json, "config_groups")) return {};
  const Json& groups = json["config_groups"];
  if (!groups.is_object()) return Unsupported("'config_groups' is not an object");
  for (const auto& [name, group] : groups.items()) {
    if (!group.is_object() || !Given(group, "weights")) {
      return Unsupported("'" + name + "' of 'config_groups' has no 'weights'");
    }
    TRY(ReadWeights(group["weights"], out).WithContext("'" + name + "'"));
  }
  return {};
}

Result<void> ReadCompressedTensors(const Json& json, Quantization& out) {
  TRY(CheckKeys(json, kCompressedKeys));
  const std::string format = TRY(GetString(json, "format"));
  if (format != "float-quantized") {
    return Unsupported("'format' is '" + format + "'; only float-quantized is supported");
  }
  // Both would change the weights: left-out values and rotations.
  const bool sparse = Given(json, "sparsity_config") && !json["sparsity_config"].empty() &&
                      json["sparsity_config"].value("format", "") != "dense";
  if (sparse) return Unsupported("'sparsity_config' is supported only as dense");
  if (Given(json, "transform_config") && !json["transform_config"].empty()) {
    return Unsupported("'transform_config' is not supported");
  }
  return ReadGroups(json, out);
}

Result<void> ReadModelopt(const Json& json, Quantization& out) {
  TRY(CheckKeys(json, kModeloptKeys));
  const std::string algorithm = TRY(GetString(json, "quant_algo"));
  if (algorithm != "FP8") {
    return Unsupported("'quant_algo' is '" + algorithm + "'; only FP8 is supported");
  }
  return ReadGroups(json, out);
}

Result<Quantization> Read(const Json& json) {
  if (!json.is_object()) return Unsupported("not an object");
  Quantization out;
  out.method = TRY(GetString(json, "quant_method"));
  if (out.method == "fp8") {
    TRY(ReadFp8(json, out));
  } else if (out.method == "compressed-tensors") {
    TRY(ReadCompressedTensors(json, out));
  } else if (out.method == "modelopt") {
    TRY(ReadModelopt(json, out));
  } else if (out.method != "mxfp4") {
    return Unsupported(
        "quant_method '" + out.method +
        "' is not supported; fp8, compressed-tensors (float-quantized), modelopt (FP8) and mxfp4 "
        "are. Use the model's original weights or a GGUF of them");
  }
  TRY(ReadUnquantised(json, out));
  return out;
}

std::optional<std::string> Stem(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return std::nullopt;
  return std::string(name.substr(0, name.size() - suffix.size()));
}

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

Result<Quantization> ReadQuantization(const Json& config) {
  if (!Given(config, "quantization_config")) return Quantization();
  return Read(config["quantization_config"]).WithContext("'quantization_config'");
}

Result<Quantization> ReadNativeQuantization(const Json& params) {
  if (!Given(params, "quantization")) return Quantization();
  const Json& json = params["quantization"];
  auto read = [&]() -> Result<Quantization> {
    if (!json.is_object()) return Unsupported("not an object");
    TRY(CheckKeys(json, kNativeKeys));
    const std::string format = TRY(GetString(json, "qformat_weight"));
    if (format != "fp8_e4m3") {
      return Unsupported("'qformat_weight' is '" + format + "'; only fp8_e4m3 is supported");
    }
    Quantization out;
    out.method = format;
    return out;
  };
  return read().WithContext("'quantization'");
}

std::string UnquantisedEntry(const Quantization& quantization, std::string_view weight_name) {
  const std::optional<std::string> module = Stem(weight_name, kWeight);
  if (!module) return "";
  for (const std::string& entry : quantization.unquantised) {
    if (internal::NamesModule(entry, *module)) return entry;
  }
  return "";
}

std::vector<std::string> ScaleNames(std::string_view weight_name) {
  std::vector<std::string> names;
  if (const auto stem = Stem(weight_name, kWeight)) {
    for (const std::string_view suffix : kWeightScales)
      names.push_back(*stem + std::string(suffix));
  }
  return names;
}

std::string WeightOfScale(std::string_view name) {
  for (const auto suffixes : {std::span<const std::string_view>(kWeightScales),
                              std::span<const std::string_view>(kActivationScales)}) {
    for (const std::string_view suffix : suffixes) {
      if (const auto stem = Stem(name, suffix)) return *stem + std::string(kWeight);
    }
  }
  return "";
}

Result<Scales> ReadScales(const Quantization& quantization, std::span<const int64_t> matrix_shape,
                          const Tensor& factors) {
  auto corrupt = [&](const std::string& what) {
    return Error(ErrorCode::kCorrupt,
                 "factors of shape " + ShapeString(factors.shape) + " " + what);
  };
  if (matrix_shape.size() != 2) return corrupt("belong to what is not a matrix");
  if (factors.dtype != DType::kF32 && factors.dtype != DType::kF16 &&
      factors.dtype != DType::kBf16) {
    return corrupt("are " + std::string(DTypeName(factors.dtype)) + ", not F32, F16 or BF16");
  }
  const int64_t rows = matrix_shape[0];
  const int64_t cols = matrix_shape[1];
  Scales scales{nullptr, rows, cols};
  const std::vector<int64_t>& shape = factors.shape;
  int64_t count = 1;
  for (const int64_t dim : shape) count *= dim;
  if (quantization.block_rows > 0) {
    scales.block_rows = quantization.block_rows;
    scales.block_cols = quantization.block_cols;
    const std::vector<int64_t> expected = {CeilDivide(rows, scales.block_rows),
                                           CeilDivide(cols, scales.block_cols)};
    if (shape != expected) {
      return corrupt("are not one for each tile of " + std::to_string(scales.block_rows) + " x " +
                     std::to_string(scales.block_cols) + ": " + ShapeString(expected));
    }
  } else if (count == rows && !shape.empty() && shape[0] == rows && count != 1) {
    scales.block_rows = 1;
  } else if (count != 1) {
    return corrupt("are neither one for the matrix " + ShapeString(matrix_shape) +
                   " nor one for each row");
  }
  std::vector<float> values = ToFloats(factors);
  if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) {
    return corrupt("are not all finite");
  }
  scales.values = std::make_shared<const std::vector<float>>(std::move(values));
  return scales;
}

}  // namespace skerry::engine
