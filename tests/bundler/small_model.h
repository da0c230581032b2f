// Models of a few hundred bytes, well-formed, for tests that damage them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace skerry::testing {

inline std::string LittleEndian(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

inline std::string Safetensors(const std::string& header, const std::string& data) {
  return LittleEndian(header.size(), 8) + header + data;
}

inline std::string SmallSafetensors() {
  return Safetensors(
      "{\"__metadata__\":{\"format\":\"pt\"},"
      "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
      "\"b\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[24,32]}}",
      "0123456789abcdef0123456789ABCDEF");
}

inline std::string GgufText(const std::string& text) { return LittleEndian(text.size(), 8) + text; }

// Pieces of a GGUF file that a test can change before Build().
struct GgufParts {
  uint32_t version = 3;
  std::vector<std::pair<std::string, std::string>> keys = {
      {"general.architecture", LittleEndian(8, 4) + GgufText("llama")},
      {"llama.block_count", LittleEndian(4, 4) + LittleEndian(1, 4)},
      {"tokenizer.ggml.tokens", LittleEndian(9, 4) + LittleEndian(8, 4) + LittleEndian(2, 8) +
                                    GgufText("<s>") + GgufText("a")}};
  struct Tensor {
    std::string name;
    std::vector<uint64_t> dims;
    uint32_t type;
    uint64_t offset;
  };
  std::vector<Tensor> tensors = {{"token_embd.weight", {4, 2}, 0, 0},
                                 {"output.weight", {32}, 2, 32}};
  std::string data = std::string(32, 'x') + std::string(18, 'y') + std::string(14, '\0');

  std::string Build() const {
    std::string file = "GGUF" + LittleEndian(version, 4) + LittleEndian(tensors.size(), 8) +
                       LittleEndian(keys.size(), 8);
    for (const auto& [key, value] : keys) file += GgufText(key) + value;
    for (const Tensor& tensor : tensors) {
      file += GgufText(tensor.name) + LittleEndian(tensor.dims.size(), 4);
      for (const uint64_t dim : tensor.dims) file += LittleEndian(dim, 8);
      file += LittleEndian(tensor.type, 4) + LittleEndian(tensor.offset, 8);
    }
    file.resize((file.size() + 31) / 32 * 32, '\0');
    return file + data;
  }
};

inline std::map<std::string, std::string> SmallModel() {
  return {{"config.json", "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\"}"},
          {"model.safetensors", SmallSafetensors()},
          {"tokenizer.model", "\x0a\x05 not a real one, long enough"}};
}

}  // namespace skerry::testing
