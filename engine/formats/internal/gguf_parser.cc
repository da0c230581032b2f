#include <algorithm>

#include "engine/formats/gguf.h"
#include "engine/formats/internal/gguf_layout.h"
#include "engine/formats/mapped_file.h"
#include "engine/formats/tensor.h"

namespace skerry::engine {

using namespace internal;  // the format's numbers

namespace {

struct TypeLayout {
  uint32_t id;
  const char* name;
  uint64_t block_elements;
  uint64_t block_bytes;
};

// ggml's element types: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h
constexpr TypeLayout kTypes[] = {
    {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},
    {3, "Q4_1", 32, 20},      {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},
    {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},      {10, "Q2_K", 256, 84},
    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},  {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},
    {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},  {22, "IQ2_S", 256, 82},
    {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
    {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},
    {29, "IQ1_M", 256, 56},   {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},
};

const TypeLayout* FindType(uint32_t type) {
  for (const TypeLayout& layout : kTypes) {
    if (layout.id == type) return &layout;
  }
  return nullptr;
}

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint32_t kVersion = 3;
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kMinAlignment = 8;
// Numbers that llama.cpp does not use and its forks do: ik_llama.cpp has 97 to 99 and 133 upwards.
constexpr uint32_t kFirstPrivateType = 97;
constexpr std::string_view kAlignmentKey = "general.alignment";

uint64_t AlignUp(uint64_t offset, uint64_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

}  // namespace

std::string GgufTypeName(uint32_t type) {
  const TypeLayout* layout = FindType(type);
  return layout != nullptr ? layout->name : "type " + std::to_string(type);
}

// Reads from the front, checks everything, fills a GgufFile.
class GgufParser {
 public:
  GgufParser(std::span<const uint8_t> bytes, GgufFile& out) : bytes_(bytes), out_(out) {}

  Result<void> Run() {
    const uint32_t magic = TRY(Read<uint32_t>("magic"));
    if (magic != kMagic) return Corrupt("not a GGUF file");
    const uint32_t version = TRY(Read<uint32_t>("version"));
    if (version != kVersion) {
      return Corrupt("GGUF version " + std::to_string(version) + " is not supported, only 3");
    }
    const uint64_t n_tensors = TRY(Read<uint64_t>("tensor count"));
    const uint64_t n_values = TRY(Read<uint64_t>("metadata count"));
    TRY(CheckLimit(n_tensors, GgufLimits::kMaxTensors, "tensors"));
    TRY(CheckLimit(n_values, GgufLimits::kMaxMetadata, "metadata entries"));
    for (uint64_t i = 0; i < n_values; ++i) TRY(ReadMetadata());
    TRY(ReadAlignment());
    for (uint64_t i = 0; i < n_tensors; ++i) TRY(ReadTensorInfo());
    return PlaceTensors();
  }

 private:
  struct Place {
    uint64_t offset = 0;
    uint64_t size_bytes = 0;
  };

  Error Corrupt(const std::string& what) const {
    return Error(ErrorCode::kCorrupt, Quoted(out_.path_) + ": " + what);
  }

  static std::string CutShort() {
    return "; is the file cut short? Then " + std::string(kCopyAgain);
  }

  Result<void> CheckLimit(uint64_t value, uint64_t limit, const std::string& what) const {
    if (value <= limit) return {};
    return Error(ErrorCode::kExhausted, Quoted(out_.path_) + ": " + std::to_string(value) + " " +
                                            what + ", more than the limit of " +
                                            std::to_string(limit));
  }

  uint64_t Left() const { return bytes_.size() - at_; }

  Result<void> Need(uint64_t size_bytes, const std::string& what) const {
    if (size_bytes <= Left()) return {};
    return Corrupt("ends inside the " + what + " at byte " + std::to_string(at_) + CutShort());
  }

  template <typename T>
  Result<T> Read(const std::string& what) {
    TRY(Need(sizeof(T), what));
    const T value = Load<T>(bytes_.data() + at_);
    at_ += sizeof(T);
    return value;
  }

  Result<std::string_view> ReadString(uint64_t limit, const std::string& what) {
    const uint64_t length = TRY(Read<uint64_t>(what));
    TRY(CheckLimit(length, limit, "bytes of " + what));
    TRY(Need(length, what));
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data() + at_), length);
    at_ += length;
    return text;
  }

  // Steps over `count` elements of `type`.
  Result<void> Skip(uint32_t type, uint64_t count, const std::string& what) {
    if (type == kString) {
      for (uint64_t i = 0; i < count; ++i) TRY(ReadString(GgufLimits::kMaxStringBytes, what));
      return {};
    }
    const uint64_t element = ScalarBytes(type);
    if (element == 0) return Corrupt(what + " has the unknown type " + std::to_string(type));
    TRY(Need(count * element, what));  // count is limited: no overflow
    if (type == kBool) {
      for (uint64_t i = 0; i < count; ++i) {
        if (bytes_[at_ + i] > 1) return Corrupt(what + " holds a bool that is neither 0 nor 1");
      }
    }
    at_ += count * element;
    return {};
  }

  Result<void> ReadMetadata() {
    const std::string_view key = TRY(ReadString(GgufLimits::kMaxNameBytes, "metadata key"));
    const std::string what = "metadata " + Quoted(key);
    if (key.empty()) return Corrupt("a metadata key is empty");
    GgufFile::Value value;
    value.type = TRY(Read<uint32_t>(what));
    if (value.type == kArray) {
      value.is_array = true;
      value.type = TRY(Read<uint32_t>(what));
      if (value.type == kArray) return Corrupt(what + " is an array of arrays");
      value.count = TRY(Read<uint64_t>(what));
      TRY(CheckLimit(value.count, GgufLimits::kMaxArrayElements, "elements in " + what));
    }
    value.data = bytes_.data() + at_;
    TRY(Skip(value.type, value.count, what));
    if (!out_.values_.emplace(key, value).second) return Corrupt(what + " is there twice");
    return {};
  }

  Result<void> ReadAlignment() {
    if (!out_.Has(kAlignmentKey)) return {};
    const int64_t value = TRY(out_.GetInt(kAlignmentKey));
    const auto alignment = static_cast<uint64_t>(value);
    if (value <= 0 || alignment < kMinAlignment || alignment > GgufLimits::kMaxAlignment ||
        !std::has_single_bit(alignment)) {
      return Corrupt("general.alignment " + std::to_string(value) + " is not a power of two from " +
                     std::to_string(kMinAlignment) + " to " +
                     std::to_string(GgufLimits::kMaxAlignment));
    }
    alignment_ = alignment;
    return {};
  }

  Result<void> ReadTensorInfo() {
    GgufTensor tensor;
    const std::string_view name = TRY(ReadString(GgufLimits::kMaxNameBytes, "tensor name"));
    tensor.name = std::string(name);
    const std::string what = "tensor " + Quoted(tensor.name);
    if (tensor.name.empty()) return Corrupt("a tensor has no name");
    const uint32_t n_dims = TRY(Read<uint32_t>(what));
    if (n_dims == 0 || n_dims > GgufLimits::kMaxDims) {
      return Corrupt(what + " has " + std::to_string(n_dims) + " dimensions, not 1 to " +
                     std::to_string(GgufLimits::kMaxDims));
    }
    uint64_t n_elements = 1;
    for (uint32_t i = 0; i < n_dims; ++i) {
      const uint64_t dim = TRY(Read<uint64_t>(what));
      if (dim == 0) return Corrupt(what + " has a dimension of 0");
      if (dim > kMaxElements || n_elements > kMaxElements / dim) {
        return Corrupt(what + " has more elements than any file can hold");
      }
      n_elements *= dim;
      tensor.dims.push_back(static_cast<int64_t>(dim));
    }
    tensor.type = TRY(Read<uint32_t>(what));
    const TypeLayout* layout = FindType(tensor.type);
    if (layout == nullptr) return UnknownType(what, tensor.type);
    if (static_cast<uint64_t>(tensor.dims[0]) % layout->block_elements != 0) {
      return Corrupt(what + ": rows of " + std::to_string(tensor.dims[0]) +
                     " elements are not whole blocks of " + layout->name);
    }
    Place place;
    place.size_bytes = n_elements / layout->block_elements * layout->block_bytes;
    place.offset = TRY(Read<uint64_t>(what));
    if (!out_.tensor_index_.emplace(tensor.name, out_.tensors_.size()).second) {
      return Corrupt(what + " is there twice");
    }
    out_.tensors_.push_back(std::move(tensor));
    places_.push_back(place);
    return {};
  }

  Error UnknownType(const std::string& what, uint32_t type) const {
    if (type < kFirstPrivateType) {
      return Corrupt(what + " has the unknown element " + GgufTypeName(type));
    }
    return Error(ErrorCode::kInvalidArgument,
                 Quoted(out_.path_) + ": " + what + " has element " + GgufTypeName(type) +
                     ", which is private to a fork of llama.cpp; quantise the model with " +
                     "llama.cpp itself. Supported are " + DTypeList());
  }

  // Tensors must fill the data section one after the other, apart from padding: then none overlaps
  // and nothing hides between or behind them.
  Result<void> PlaceTensors() {
    const uint64_t data_start = AlignUp(at_, alignment_);
    const uint64_t data_bytes = bytes_.size() > data_start ? bytes_.size() - data_start : 0;
    std::vector<size_t> order(places_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return places_[a].offset < places_[b].offset; });
    uint64_t next = 0;
    uint64_t end = 0;
    for (const size_t i : order) {
      const Place& place = places_[i];
      const std::string what = "tensor " + Quoted(out_.tensors_[i].name);
      if (place.offset != next) {
        const bool overlaps = place.offset < next;
        return Corrupt(
            what + " starts at " + std::to_string(place.offset) + " of the data" +
            (overlaps ? ", inside the tensor before it or unaligned" : ", behind a hole") +
            "; expected " + std::to_string(next));
      }
      if (place.size_bytes > data_bytes - place.offset) {
        return Corrupt(what + " needs " + std::to_string(place.size_bytes) + " bytes from " +
                       std::to_string(place.offset) + " of the data, which ends at " +
                       std::to_string(data_bytes) + CutShort());
      }
      out_.tensors_[i].bytes = bytes_.subspan(data_start + place.offset, place.size_bytes);
      end = place.offset + place.size_bytes;
      next = AlignUp(end, alignment_);
      if (next > data_bytes) next = end;  // the last one may come without padding
    }
    if (data_bytes > next) {
      return Corrupt(std::to_string(data_bytes - next) + " bytes follow the last tensor");
    }
    return {};
  }

  static constexpr uint64_t kMaxElements = uint64_t{1} << 56;

  std::span<const uint8_t> bytes_;
  GgufFile& out_;
  uint64_t at_ = 0;
  uint64_t alignment_ = kDefaultAlignment;
  std::vector<Place> places_;
};

Result<GgufFile> GgufFile::Parse(std::span<const uint8_t> bytes, std::string name) {
  GgufFile gguf;
  gguf.path_ = std::move(name);
  TRY(GgufParser(bytes, gguf).Run());
  return gguf;
}

}  // namespace skerry::engine
