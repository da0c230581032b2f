// Metadata of one architecture in a GGUF file, for the architectures' readers. Keys are named
// without the architecture's prefix: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "engine/architectures/model_config.h"
#include "engine/formats/gguf.h"

namespace skerry::engine {

class GgufReader {
 public:
  // `architecture` is the value of general.architecture; both outlive the reader.
  GgufReader(const GgufFile& file, std::string_view architecture)
      : file_(file), prefix_(std::string(architecture) + ".") {}

  std::string Key(std::string_view key) const { return prefix_ + std::string(key); }
  bool Has(std::string_view key) const { return file_.Has(Key(key)); }
  bool HasTensor(std::string_view name) const { return file_.FindTensor(name) != nullptr; }
  const GgufFile& file() const { return file_; }

  Result<int64_t> Int(std::string_view key) const { return file_.GetInt(Key(key)); }
  Result<int64_t> IntOr(std::string_view key, int64_t fallback) const {
    return file_.GetIntOr(Key(key), fallback);
  }
  Result<double> Float(std::string_view key) const { return file_.GetFloat(Key(key)); }
  Result<double> FloatOr(std::string_view key, double fallback) const {
    return file_.GetFloatOr(Key(key), fallback);
  }
  // A count, given as a number or as an equal number for each layer.
  Result<int64_t> Uniform(std::string_view key) const;

  // Sizes, heads and the vocabulary; `layers` gets its length.
  Result<void> ReadSizes(ModelConfig& out) const;
  // ReadSizes and what every decoder with rotary positions adds: RMS norms, one rope table, biases
  // and experts by the tensors that are there.
  Result<void> ReadDecoder(ModelConfig& out) const;
  // Windows of `window` tokens for the layers that "attention.sliding_window_pattern" names, else
  // for those of `is_local`.
  Result<void> ReadWindows(int64_t window, const std::function<bool(int64_t layer)>& is_local,
                           ModelConfig& out) const;
  // Which vector of an encoder's is the text's, where the file says so.
  Result<void> ReadPooling(ModelConfig& out) const;
  // `truncate`: YaRN's ramp begins and ends at whole pairs.
  Result<void> ReadRope(ModelConfig& out, bool truncate = true) const;

 private:
  Result<void> ReadExperts(ModelConfig& out) const;
  Result<RopeTable> ReadRopeTable(ModelConfig& out, bool truncate) const;

  const GgufFile& file_;
  std::string prefix_;
};

}  // namespace skerry::engine
