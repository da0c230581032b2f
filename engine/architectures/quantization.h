// Weights stored as FP8 (E4M3) with factors in tensors of their own: which scheme a checkpoint
// declares, and the factors of one matrix. Weights keep their type and are multiplied as the values
// they stand for; what a checkpoint says about rounding activations or keys and values is left out,
// since here they stay F32.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/json.h"
#include "appliance/base/result.h"
#include "engine/formats/tensor.h"

namespace skerry::engine {

struct Quantization {
  std::string method;  // as declared; empty: none
  // Of a matrix's tiles that share a factor; 0: the factors' own shape says it (one for the matrix
  // or one for a row).
  int64_t block_rows = 0;
  int64_t block_cols = 0;
  // The modules that are stored unquantised, as the configuration lists them, and its key for that.
  std::vector<std::string> unquantised = {};
  std::string unquantised_key = {};
};

// 'quantization_config' of config.json: quant_method fp8, compressed-tensors (format
// float-quantized), modelopt (FP8), and mxfp4, whose blocks the architecture reads itself.
// kInvalidArgument names the method or key that is not supported.
Result<Quantization> ReadQuantization(const Json& config);

// The same of Mistral's params.json, 'quantization'.
Result<Quantization> ReadNativeQuantization(const Json& params);

// The entry of the list of unquantised modules that names the module of this weight or one around
// it; empty when there is none. An entry is a path ("lm_head", "model.layers.0.mlp.gate", or the
// end of one: "gate"), a pattern with '*', or a regular expression after "re:" that is matched from
// the beginning; of these only what literal characters, '.', ".*", '^' and '$' can say is
// understood, and any other is taken to name nothing.
std::string UnquantisedEntry(const Quantization& quantization, std::string_view weight_name);

// The names under which the factors of "X.weight" may be stored.
std::vector<std::string> ScaleNames(std::string_view weight_name);
// "X.weight" when `name` is that of X's factors, of its activations' or of its keys' and values':
// tensors that belong to a quantised matrix. Empty for others.
std::string WeightOfScale(std::string_view name);

// The factors of a matrix [rows, cols], from a tensor of F32, F16 or BF16. kCorrupt when its shape
// does not fit the matrix or the declared tiles.
Result<Scales> ReadScales(const Quantization& quantization, std::span<const int64_t> matrix_shape,
                          const Tensor& factors);

}  // namespace skerry::engine
