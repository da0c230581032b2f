// GGUF version 3: metadata and tensor directory of a memory-mapped file, validated as a whole
// before anything is handed out. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"

namespace skerry::engine {

// Limits well above every published model; a file beyond them is refused.
struct GgufLimits {
  static constexpr uint64_t kMaxTensors = 1 << 16;
  static constexpr uint64_t kMaxMetadata = 1 << 14;
  static constexpr uint64_t kMaxNameBytes = 1 << 10;
  static constexpr uint64_t kMaxStringBytes = 16 << 20;
  static constexpr uint64_t kMaxArrayElements = 1 << 24;
  static constexpr uint32_t kMaxDims = 4;
  static constexpr uint64_t kMaxAlignment = 1 << 16;
  static constexpr int64_t kMaxParts = 1 << 12;
};

struct GgufTensor {
  std::string name;
  std::vector<int64_t> dims;  // as stored: fastest first, so a projection is {in, out}
  uint32_t type = 0;          // ggml's number; GgufTypeName names it
  std::span<const uint8_t> bytes;
};

// "Q4_K"; "type 99" for a number that is not known.
std::string GgufTypeName(uint32_t type);

// Immutable after Open; thread-safe. Names, strings and bytes point into the mapping: they are
// valid as long as this object is, also after it was moved.
class GgufFile {
 public:
  // Of a checkpoint in parts, `path` is the first (see gguf_parts.h); the others lie beside it and
  // are opened with it: tensors() has those of all parts, metadata is the first part's. kCorrupt
  // with the offset or name for everything that contradicts the format or another part, kExhausted
  // for what is beyond GgufLimits, kInvalidArgument for a later part, else as MappedFile::Open.
  static Result<GgufFile> Open(const std::string& path);
  // One file over bytes that outlive the object; `name` is for errors.
  static Result<GgufFile> Parse(std::span<const uint8_t> bytes, std::string name);

  const std::string& path() const { return path_; }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  const GgufTensor* FindTensor(std::string_view name) const;  // null when there is none

  // Metadata. An absent key is kNotFound, another type is kInvalidArgument; both name the key.
  bool Has(std::string_view key) const { return values_.contains(key); }
  std::vector<std::string_view> Keys() const;  // sorted
  Result<std::string_view> GetString(std::string_view key) const;
  Result<int64_t> GetInt(std::string_view key) const;  // any integer type that fits
  Result<double> GetFloat(std::string_view key) const;
  Result<bool> GetBool(std::string_view key) const;
  Result<std::vector<std::string_view>> GetStrings(std::string_view key) const;
  Result<std::vector<float>> GetFloats(std::string_view key) const;  // F32 arrays
  Result<std::vector<int64_t>> GetInts(std::string_view key) const;  // any integer type

  // Absent gives the fallback; another type is still an error.
  Result<std::string_view> GetStringOr(std::string_view key, std::string_view fallback) const;
  Result<int64_t> GetIntOr(std::string_view key, int64_t fallback) const;
  Result<double> GetFloatOr(std::string_view key, double fallback) const;
  Result<bool> GetBoolOr(std::string_view key, bool fallback) const;

  // Whether `key` is present and an array.
  bool IsArray(std::string_view key) const;

  // Keeps the mappings alive beyond this object; null after Parse.
  std::shared_ptr<const void> mapping() const { return mapping_; }

 private:
  friend class GgufParser;
  struct Value {
    uint32_t type = 0;  // of a scalar, or of the elements
    bool is_array = false;
    uint64_t count = 1;
    const uint8_t* data = nullptr;  // first element; strings are length-prefixed
  };

  GgufFile() = default;
  static Result<GgufFile> OpenOne(const std::string& path);
  Result<void> OpenOtherParts(int64_t n_parts);
  Result<void> AddPart(GgufFile part, int64_t number, int64_t n_parts);
  Result<const Value*> Find(std::string_view key, bool array) const;

  std::string path_;
  // Of every part; null after Parse. Type-erased and shared with the tensors handed out.
  std::shared_ptr<const void> mapping_;
  std::map<std::string_view, Value> values_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string, size_t, std::less<>> tensor_index_;
};

}  // namespace skerry::engine
