// Safetensors: one file's header, validated as a whole, and folders whose tensors are spread over
// shards. Format: https://github.com/huggingface/safetensors#format
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/formats/mapped_file.h"

namespace skerry::engine {

struct SafetensorsLimits {
  static constexpr uint64_t kMaxHeaderBytes = 32 << 20;
  static constexpr size_t kMaxTensors = 1 << 17;
  static constexpr size_t kMaxNameBytes = 1 << 10;
  static constexpr size_t kMaxDims = 8;
  static constexpr size_t kMaxShards = 4096;
};

struct SafetensorsTensor {
  std::string name;
  std::string dtype;  // as the header spells it, e.g. "BF16"
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;  // as aligned as the file makes it
};

// Immutable after Open; thread-safe. Bytes are valid as long as mapping() is held.
class SafetensorsFile {
 public:
  // kCorrupt naming the tensor or byte for everything that contradicts the format (holes, overlaps
  // and trailing bytes included), kExhausted beyond SafetensorsLimits, else as MappedFile::Open.
  static Result<SafetensorsFile> Open(const std::string& path);
  // The same over bytes that outlive the object; `name` is for errors.
  static Result<SafetensorsFile> Parse(std::span<const uint8_t> bytes, std::string name);

  const std::string& path() const { return path_; }
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }  // sorted by name
  const SafetensorsTensor* FindTensor(std::string_view name) const;  // null when there is none
  std::shared_ptr<const void> mapping() const { return file_; }      // null after Parse

 private:
  SafetensorsFile() = default;

  std::string path_;
  std::shared_ptr<const MappedFile> file_;  // shared with the tensors handed out
  std::vector<SafetensorsTensor> tensors_;
};

// The files of a folder: those that STEM.safetensors.index.json names, else STEM.safetensors. The
// index may name files of its own folder only; every tensor must be in the shard the index says and
// in no other. `stem` is "model" in Hugging Face's layout.
Result<std::vector<SafetensorsFile>> OpenSafetensorsFolder(const std::string& folder,
                                                           std::string_view stem = "model");

}  // namespace skerry::engine
