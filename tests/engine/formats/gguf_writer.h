// Writes GGUF files for tests, right or wrong on request: every field can be set to what a damaged
// or hostile file might hold.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine::testing {

class GgufWriter {
 public:
  struct TensorInfo {
    std::string name;
    std::vector<uint64_t> dims;
    uint32_t type = 0;
    uint64_t offset = 0;
  };

  uint32_t magic = 0x46554747;
  uint32_t version = 3;
  uint64_t alignment = 32;
  int64_t extra_tensor_count = 0;  // added to the written count
  int64_t extra_metadata_count = 0;
  std::vector<TensorInfo> tensors;

  void String(std::string_view key, std::string_view value) {
    Key(key, 8);
    PutString(metadata_, value);
  }
  template <typename T>
  void Scalar(std::string_view key, uint32_t type, T value) {
    Key(key, type);
    Put(metadata_, value);
  }
  void U32(std::string_view key, uint32_t value) { Scalar(key, 4, value); }
  void F32(std::string_view key, float value) { Scalar(key, 6, value); }
  void Bool(std::string_view key, bool value) { Scalar(key, 7, static_cast<uint8_t>(value)); }
  void Strings(std::string_view key, const std::vector<std::string>& values) {
    Array(key, 8, values.size());
    for (const std::string& value : values) PutString(metadata_, value);
  }
  template <typename T>
  void Numbers(std::string_view key, uint32_t type, const std::vector<T>& values) {
    Array(key, type, values.size());
    for (const T value : values) Put(metadata_, value);
  }
  void Array(std::string_view key, uint32_t type, uint64_t count) {
    Key(key, 9);
    Put(metadata_, type);
    Put(metadata_, count);
  }
  void Key(std::string_view key, uint32_t type) {
    PutString(metadata_, key);
    Put(metadata_, type);
    ++n_metadata_;
  }

  // A tensor behind those before it. `dims`: fastest first.
  void Tensor(std::string name, std::vector<uint64_t> dims, uint32_t type, std::string_view bytes) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
    tensors.push_back({std::move(name), std::move(dims), type, data_.size()});
    data_ += bytes;
  }

  std::string Finish() const {
    std::string out;
    Put(out, magic);
    Put(out, version);
    Put(out, static_cast<uint64_t>(tensors.size()) + extra_tensor_count);
    Put(out, n_metadata_ + extra_metadata_count);
    out += metadata_;
    for (const TensorInfo& tensor : tensors) {
      PutString(out, tensor.name);
      Put(out, static_cast<uint32_t>(tensor.dims.size()));
      for (const uint64_t dim : tensor.dims) Put(out, dim);
      Put(out, tensor.type);
      Put(out, tensor.offset);
    }
    out.resize((out.size() + alignment - 1) / alignment * alignment);
    return out + data_;
  }

 private:
  template <typename T>
  static void Put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  static void PutString(std::string& out, std::string_view text) {
    Put(out, static_cast<uint64_t>(text.size()));
    out += text;
  }

  uint64_t n_metadata_ = 0;
  std::string metadata_;
  std::string data_;
};

}  // namespace skerry::engine::testing
