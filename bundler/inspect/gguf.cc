#include "bundler/inspect/gguf.h"

#include <algorithm>
#include <set>
#include <string>

#include "bundler/format/names.h"
#include "bundler/inspect/internal/gguf_walk.h"

namespace skerry::inspect {

namespace {

using internal::Cursor;

constexpr uint64_t kMaxTensorNameBytes = 63;  // ggml.h: GGML_MAX_NAME with its final zero
constexpr uint64_t kMaxArchitectureBytes = 64;
constexpr uint32_t kMaxDimensions = 4;
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kMaxAlignment = 1 << 20;

constexpr std::string_view kKeptStrings[] = {"general.name", "general.license",
                                             "general.license.name", "general.organization",
                                             "tokenizer.ggml.model"};
constexpr std::string_view kKeptNumbers[] = {"block_count",
                                             "context_length",
                                             "embedding_length",
                                             "attention.head_count",
                                             "attention.head_count_kv",
                                             "attention.key_length",
                                             "attention.value_length",
                                             "split.count",
                                             "split.no",
                                             "split.tensors.count"};
constexpr uint64_t kMaxKeptBytes = 1024;

struct TensorType {
  std::string_view name;
  uint32_t id;
  uint32_t block;  // elements
  uint32_t block_bytes;
};
// gguf-py/gguf/constants.py, GGML_QUANT_SIZES.
constexpr TensorType kTensorTypes[] = {
    {"F32", 0, 1, 4},         {"F16", 1, 1, 2},         {"Q4_0", 2, 32, 18},
    {"Q4_1", 3, 32, 20},      {"Q5_0", 6, 32, 22},      {"Q5_1", 7, 32, 24},
    {"Q8_0", 8, 32, 34},      {"Q8_1", 9, 32, 40},      {"Q2_K", 10, 256, 84},
    {"Q3_K", 11, 256, 110},   {"Q4_K", 12, 256, 144},   {"Q5_K", 13, 256, 176},
    {"Q6_K", 14, 256, 210},   {"Q8_K", 15, 256, 292},   {"IQ2_XXS", 16, 256, 66},
    {"IQ2_XS", 17, 256, 74},  {"IQ3_XXS", 18, 256, 98}, {"IQ1_S", 19, 256, 50},
    {"IQ4_NL", 20, 32, 18},   {"IQ3_S", 21, 256, 110},  {"IQ2_S", 22, 256, 82},
    {"IQ4_XS", 23, 256, 136}, {"I8", 24, 1, 1},         {"I16", 25, 1, 2},
    {"I32", 26, 1, 4},        {"I64", 27, 1, 8},        {"F64", 28, 1, 8},
    {"IQ1_M", 29, 256, 56},   {"BF16", 30, 1, 2},       {"TQ1_0", 34, 256, 54},
    {"TQ2_0", 35, 256, 66},   {"MXFP4", 39, 32, 17},    {"NVFP4", 40, 64, 36},
    {"Q1_0", 41, 128, 18},
};

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

// Readers take these arrays for one of a fixed type and as long as the list of tokens, some without
// looking (llama.cpp, src/llama-vocab.cpp).
struct TokenArray {
  std::string_view key;
  uint64_t type;
};
constexpr TokenArray kTokenArrays[] = {{"tokenizer.ggml.tokens", internal::kGgufString},
                                       {"tokenizer.ggml.scores", internal::kGgufF32},
                                       {"tokenizer.ggml.token_type", internal::kGgufI32}};

struct Metadata {
  GgufSummary summary;
  std::map<std::string, uint64_t> token_arrays;  // their lengths
  uint64_t alignment = kDefaultAlignment;
};

// Reads a string or number that the summary keeps; false when this is not one.
Result<bool> KeepValue(Cursor& cursor, const std::string& key, uint64_t type,
                       GgufSummary& summary) {
  if (type == internal::kGgufString &&
      std::find(std::begin(kKeptStrings), std::end(kKeptStrings), key) != std::end(kKeptStrings)) {
    const uint64_t length = TRY(cursor.Number(8));
    if (length > kMaxKeptBytes) {
      TRY(cursor.Skip(length));
      return true;
    }
    summary.strings[key] = TRY(cursor.Bytes(length));
    return true;
  }
  const bool unsigned_number = type == internal::kGgufU16 || type == internal::kGgufU32 ||
                               type == internal::kGgufU64 || type == internal::kGgufI32;
  // Behind "ARCHITECTURE.", except for what says which part of a split model this is.
  const auto kept =
      std::find_if(std::begin(kKeptNumbers), std::end(kKeptNumbers), [&](std::string_view name) {
        return key == name ||
               (!name.starts_with("split.") && key.ends_with("." + std::string(name)));
      });
  if (!unsigned_number || kept == std::end(kKeptNumbers)) return false;
  summary.numbers[std::string(*kept)] = TRY(cursor.Number(type == internal::kGgufU16   ? 2
                                                          : type == internal::kGgufU64 ? 8
                                                                                       : 4));
  return true;
}

Result<bool> TakeValue(const std::string& key, uint64_t type, Cursor& cursor, Metadata& metadata) {
  if (key == "general.architecture") {
    if (type != internal::kGgufString) return Bad("it must be a string");
    metadata.summary.architecture = TRY(cursor.Text(kMaxArchitectureBytes));
    return true;
  }
  if (key == "general.alignment") {
    if (type != internal::kGgufU32) return Bad("it must be a 32-bit number");
    metadata.alignment = TRY(cursor.Number(4));
    const uint64_t value = metadata.alignment;
    if (value < 8 || value > kMaxAlignment || (value & (value - 1)) != 0) {
      return Bad("it must be a power of two, 8 to 2^20");
    }
    return true;
  }
  const auto tokens = std::find_if(std::begin(kTokenArrays), std::end(kTokenArrays),
                                   [&](const TokenArray& known) { return known.key == key; });
  if (tokens != std::end(kTokenArrays)) {
    if (type != internal::kGgufArray) return Bad("it must be an array");
    Cursor ahead = cursor;
    const internal::GgufArray array = TRY(internal::ReadGgufArrayHead(ahead));
    if (array.type != tokens->type) {
      return Bad("an array of type " + std::to_string(array.type) + ", expected " +
                 std::to_string(tokens->type));
    }
    metadata.token_arrays[key] = array.count;
    return false;
  }
  return KeepValue(cursor, key, type, metadata.summary);
}

Result<void> CheckTokenArrays(const Metadata& metadata) {
  if (metadata.token_arrays.empty()) return {};
  // The last one by name is that of the tokens, where there is one.
  const auto& [last_key, wanted] = *metadata.token_arrays.rbegin();
  for (const auto& [key, count] : metadata.token_arrays) {
    if (count == wanted) continue;
    return Bad("key " + format::Quote(key) + " has " + std::to_string(count) + " entries, " +
               format::Quote(last_key) + " has " + std::to_string(wanted));
  }
  return {};
}

struct Tensor {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t elements = 0;
  std::string_view type;
};

Result<Tensor> ReadTensor(Cursor& cursor) {
  const uint64_t n_dims = TRY(cursor.Number(4));
  if (n_dims < 1 || n_dims > kMaxDimensions)
    return Bad("it has " + std::to_string(n_dims) + " dimensions");
  uint64_t elements = 1, row = 0;
  for (uint64_t i = 0; i < n_dims; ++i) {
    const uint64_t dimension = TRY(cursor.Number(8));
    if (dimension == 0) return Bad("a dimension is 0");
    if (__builtin_mul_overflow(elements, dimension, &elements)) return Bad("its shape overflows");
    if (i == 0) row = dimension;
  }
  const uint64_t type_id = TRY(cursor.Number(4));
  const auto type = std::find_if(std::begin(kTensorTypes), std::end(kTensorTypes),
                                 [&](const TensorType& known) { return known.id == type_id; });
  if (type == std::end(kTensorTypes)) {
    return Bad("its type " + std::to_string(type_id) + " is not known");
  }
  if (row % type->block != 0) return Bad("its rows do not fill whole blocks");
  Tensor tensor;
  if (__builtin_mul_overflow(elements / type->block, uint64_t{type->block_bytes}, &tensor.bytes)) {
    return Bad("its size overflows");
  }
  tensor.offset = TRY(cursor.Number(8));
  tensor.elements = elements;
  tensor.type = type->name;
  return tensor;
}

// `value` rounded up to `alignment`; kCorrupt on overflow.
Result<uint64_t> Align(uint64_t value, uint64_t alignment) {
  uint64_t sum = 0;
  if (__builtin_add_overflow(value, alignment - 1, &sum)) return Bad("its size overflows");
  return sum & ~(alignment - 1);
}

}  // namespace

Result<GgufSummary> CheckGguf(const File& file) {
  const uint64_t size = TRY(file.Size());
  Cursor cursor(file, size);
  const internal::GgufHeader header = TRY(internal::ReadGgufHeader(cursor));
  Metadata metadata;
  TRY(internal::WalkGgufKeys(cursor, header,
                             [&](const std::string& key, uint64_t type, Cursor& at) {
                               return TakeValue(key, type, at, metadata);
                             }));
  TRY(CheckTokenArrays(metadata));
  std::set<std::string> names;
  uint64_t data_bytes = 0;    // rounded up
  uint64_t data_minimum = 0;  // without the padding of the last tensor
  for (uint64_t i = 0; i < header.tensors; ++i) {
    const std::string name = TRY(cursor.Text(kMaxTensorNameBytes).WithContext("tensor name"));
    const std::string context = "tensor " + format::Quote(name);
    if (name.find('\0') != std::string::npos) return Bad(context + " holds a zero byte");
    if (!names.insert(name).second) return Bad(context + " occurs twice");
    const Tensor tensor = TRY(ReadTensor(cursor).WithContext(context));
    if (tensor.offset != data_bytes) {
      return Bad(context + " lies at offset " + std::to_string(tensor.offset) + ", expected " +
                 std::to_string(data_bytes) + ": tensors overlap or leave a gap");
    }
    if (__builtin_add_overflow(data_bytes, tensor.bytes, &data_minimum)) {
      return Bad(context + ": its size overflows");
    }
    data_bytes = TRY(Align(data_minimum, metadata.alignment));
    metadata.summary.elements[std::string(tensor.type)] += tensor.elements;
  }
  const uint64_t infos_end = cursor.position();
  const uint64_t data_start = TRY(Align(infos_end, metadata.alignment));
  uint64_t least = infos_end, most = data_start;
  if (header.tensors > 0 && (__builtin_add_overflow(data_start, data_minimum, &least) ||
                             __builtin_add_overflow(data_start, data_bytes, &most))) {
    return Bad("its size overflows");
  }
  if (size < least || size > most) {
    return Bad("its tensors end at byte " + std::to_string(least) + ", the file at " +
               std::to_string(size) + ": it is truncated or has extra bytes");
  }
  metadata.summary.tensors = header.tensors;
  return std::move(metadata.summary);
}

}  // namespace skerry::inspect
