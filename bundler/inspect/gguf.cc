#include "bundler/inspect/gguf.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "bundler/format/names.h"

namespace skerry::inspect {

namespace {

constexpr uint64_t kMaxKeys = 1 << 16;
constexpr uint64_t kMaxTensors = 1 << 18;
constexpr uint64_t kMaxKeyBytes = 65535;      // docs/gguf.md
constexpr uint64_t kMaxTensorNameBytes = 64;  // docs/gguf.md
constexpr uint64_t kMaxArchitectureBytes = 64;
constexpr uint32_t kMaxDimensions = 4;
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kMaxAlignment = 1 << 20;
constexpr int kMaxArrayDepth = 3;

// Types of metadata values, docs/gguf.md.
constexpr uint64_t kU16 = 2, kU32 = 4, kI32 = 5, kU64 = 10;
constexpr uint64_t kBool = 7, kString = 8, kArray = 9;
constexpr unsigned kScalarBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

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
                                             "split.count"};
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
    {"TQ2_0", 35, 256, 66},   {"MXFP4", 39, 32, 17},
};

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

// Reads forward through a buffer; never past the end of the file.
class Cursor {
 public:
  Cursor(const File& file, uint64_t size) : file_(file), size_(size), buffer_(kBufferBytes) {}

  uint64_t position() const { return position_; }
  uint64_t size() const { return size_; }

  Result<void> Skip(uint64_t count) {
    if (count > size_ - position_) return Bad("it ends in the middle of its header");
    position_ += count;
    return {};
  }

  Result<uint64_t> Number(unsigned width) {
    uint8_t bytes[8];
    TRY(Read({bytes, width}));
    uint64_t value = 0;
    for (unsigned i = width; i-- > 0;) value = value << 8 | bytes[i];
    return value;
  }

  Result<std::string> Text(uint64_t max_bytes) {
    const uint64_t length = TRY(Number(8));
    if (length > max_bytes) {
      return Bad("a string of " + std::to_string(length) + " bytes where " +
                 std::to_string(max_bytes) + " are allowed");
    }
    return Bytes(length);
  }

  Result<std::string> Bytes(uint64_t length) {
    if (length > size_ - position_) return Bad("it ends in the middle of its header");
    std::string text(length, '\0');
    TRY(Read({reinterpret_cast<uint8_t*>(text.data()), text.size()}));
    return text;
  }

 private:
  static constexpr size_t kBufferBytes = 64 << 10;

  Result<void> Read(std::span<uint8_t> out) {
    if (out.size() > size_ - position_) return Bad("it ends in the middle of its header");
    while (!out.empty()) {
      if (position_ < start_ || position_ >= start_ + filled_) {
        start_ = position_;
        filled_ = TRY(file_.ReadAt(start_, buffer_));
        if (filled_ == 0) return Bad("it became shorter while it was read");
      }
      const size_t at = static_cast<size_t>(position_ - start_);
      const size_t count = std::min(out.size(), filled_ - at);
      std::copy_n(buffer_.begin() + static_cast<ptrdiff_t>(at), count, out.begin());
      out = out.subspan(count);
      position_ += count;
    }
    return {};
  }

  const File& file_;
  uint64_t size_;
  uint64_t position_ = 0;
  uint64_t start_ = 0;  // of the buffer's content in the file
  size_t filled_ = 0;
  std::vector<uint8_t> buffer_;
};

Result<void> SkipValue(Cursor& cursor, uint64_t type, int depth) {
  if (type == kString) {
    const uint64_t length = TRY(cursor.Number(8));
    return cursor.Skip(length);
  }
  if (type != kArray) {
    if (type >= std::size(kScalarBytes)) return Bad("unknown type " + std::to_string(type));
    if (type != kBool) return cursor.Skip(kScalarBytes[type]);
    const uint64_t value = TRY(cursor.Number(1));
    if (value > 1) return Bad("a bool that is neither 0 nor 1");
    return {};
  }
  if (depth >= kMaxArrayDepth) return Bad("arrays nested too deeply");
  const uint64_t element = TRY(cursor.Number(4));
  const uint64_t count = TRY(cursor.Number(8));
  if (element >= std::size(kScalarBytes)) return Bad("unknown type " + std::to_string(element));
  if (element != kString && element != kArray && element != kBool) {
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(count, uint64_t{kScalarBytes[element]}, &bytes)) {
      return Bad("an array's size overflows");
    }
    return cursor.Skip(bytes);
  }
  // Each element takes at least one byte, so the loop is bounded by the file.
  if (count > cursor.size() - cursor.position()) return Bad("an array is longer than the file");
  for (uint64_t i = 0; i < count; ++i) TRY(SkipValue(cursor, element, depth + 1));
  return {};
}

struct Header {
  uint64_t tensors = 0;
  uint64_t keys = 0;
};

Result<Header> ReadHeader(Cursor& cursor) {
  constexpr uint64_t kMagic = 0x46554747;  // "GGUF", little-endian
  const Result<uint64_t> magic = cursor.Number(4);
  if (!magic || *magic != kMagic) return Bad("it is not a GGUF file");
  const uint64_t version = TRY(cursor.Number(4));
  if (version != 2 && version != 3) {
    return Bad("GGUF version " + std::to_string(version) + " is not supported; 2 and 3 are");
  }
  Header header;
  header.tensors = TRY(cursor.Number(8));
  header.keys = TRY(cursor.Number(8));
  if (header.tensors > kMaxTensors || header.keys > kMaxKeys) {
    return Bad("it claims " + std::to_string(header.tensors) + " tensors and " +
               std::to_string(header.keys) + " keys, which is absurd");
  }
  return header;
}

struct Metadata {
  GgufSummary summary;
  uint64_t alignment = kDefaultAlignment;
};

// Reads a string or number that the summary keeps; false when this is not one.
Result<bool> KeepValue(Cursor& cursor, const std::string& key, uint64_t type,
                       GgufSummary& summary) {
  if (type == kString &&
      std::find(std::begin(kKeptStrings), std::end(kKeptStrings), key) != std::end(kKeptStrings)) {
    const uint64_t length = TRY(cursor.Number(8));
    if (length > kMaxKeptBytes) {
      TRY(cursor.Skip(length));
      return true;
    }
    summary.strings[key] = TRY(cursor.Bytes(length));
    return true;
  }
  const bool unsigned_number = type == kU16 || type == kU32 || type == kU64 || type == kI32;
  const auto kept = std::find_if(
      std::begin(kKeptNumbers), std::end(kKeptNumbers),
      [&](std::string_view name) { return key == name || key.ends_with("." + std::string(name)); });
  if (!unsigned_number || kept == std::end(kKeptNumbers)) return false;
  summary.numbers[std::string(*kept)] = TRY(cursor.Number(kScalarBytes[type]));
  return true;
}

Result<void> ReadKey(Cursor& cursor, std::set<std::string>& keys, Metadata& metadata) {
  const std::string key = TRY(cursor.Text(kMaxKeyBytes));
  const std::string context = "key " + format::Quote(key);
  if (!keys.insert(key).second) return Bad(context + " occurs twice");
  const uint64_t type = TRY(cursor.Number(4));
  if (key == "general.architecture") {
    if (type != kString) return Bad(context + " must be a string");
    metadata.summary.architecture = TRY(cursor.Text(kMaxArchitectureBytes).WithContext(context));
    return {};
  }
  if (key == "general.alignment") {
    if (type != kU32) return Bad(context + " must be a 32-bit number");
    metadata.alignment = TRY(cursor.Number(4));
    const uint64_t value = metadata.alignment;
    if (value < 8 || value > kMaxAlignment || (value & (value - 1)) != 0) {
      return Bad(context + " must be a power of two, 8 to 2^20");
    }
    return {};
  }
  const bool kept = TRY(KeepValue(cursor, key, type, metadata.summary).WithContext(context));
  if (kept) return {};
  return SkipValue(cursor, type, 0).WithContext(context);
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
  const Header header = TRY(ReadHeader(cursor));
  Metadata metadata;
  std::set<std::string> keys;
  for (uint64_t i = 0; i < header.keys; ++i) TRY(ReadKey(cursor, keys, metadata));
  std::set<std::string> names;
  uint64_t data_bytes = 0;    // rounded up
  uint64_t data_minimum = 0;  // without the padding of the last tensor
  for (uint64_t i = 0; i < header.tensors; ++i) {
    const std::string name = TRY(cursor.Text(kMaxTensorNameBytes).WithContext("tensor name"));
    const std::string context = "tensor " + format::Quote(name);
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
