#include "bundler/inspect/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"
#include "bundler/format/names.h"

namespace skerry::inspect {

namespace {

constexpr size_t kLengthBytes = 8;
constexpr size_t kMaxDimensions = 8;

struct Type {
  std::string_view name;
  unsigned bits;
};
// safetensors/src/tensor.rs, enum Dtype.
constexpr Type kTypes[] = {
    {"BOOL", 8},    {"U8", 8},   {"I8", 8},      {"F8_E5M2", 8}, {"F8_E4M3", 8},
    {"F8_E8M0", 8}, {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"I16", 16},
    {"U16", 16},    {"F16", 16}, {"BF16", 16},   {"I32", 32},    {"U32", 32},
    {"F32", 32},    {"C64", 64}, {"I64", 64},    {"U64", 64},    {"F64", 64},
};

struct Range {
  uint64_t begin = 0;
  uint64_t end = 0;
  const Type* type = nullptr;
};

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

Result<std::vector<uint64_t>> GetNumbers(const Json& tensor, const char* key, size_t max_count) {
  const auto array = tensor.find(key);
  if (array == tensor.end() || !array->is_array() || array->size() > max_count) {
    return Bad("field '" + std::string(key) + "' must be an array of at most " +
               std::to_string(max_count) + " numbers");
  }
  std::vector<uint64_t> numbers;
  for (const Json& item : *array) {
    if (!item.is_number_unsigned()) {
      return Bad("field '" + std::string(key) + "' must hold non-negative integers");
    }
    numbers.push_back(item.get<uint64_t>());
  }
  return numbers;
}

Result<Range> CheckTensor(const Json& tensor) {
  TRY(RefuseUnknownKeys(tensor, {"data_offsets", "dtype", "shape"}));
  const std::string name = TRY(GetString(tensor, "dtype"));
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [&](const Type& known) { return known.name == name; });
  if (type == std::end(kTypes)) return Bad("unknown dtype " + format::Quote(name));
  const std::vector<uint64_t> shape = TRY(GetNumbers(tensor, "shape", kMaxDimensions));
  const std::vector<uint64_t> offsets = TRY(GetNumbers(tensor, "data_offsets", 2));
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    return Bad("field 'data_offsets' must be [begin, end]");
  }
  uint64_t bits = type->bits;
  for (const uint64_t dimension : shape) {
    if (__builtin_mul_overflow(bits, dimension, &bits)) return Bad("its shape overflows");
  }
  if (bits % 8 != 0 || offsets[1] - offsets[0] != bits / 8) {
    return Bad("type and shape need " + std::to_string(bits / 8) + " bytes, data_offsets give " +
               std::to_string(offsets[1] - offsets[0]));
  }
  return Range{offsets[0], offsets[1], type};
}

Result<void> CheckMetadata(const Json& metadata) {
  if (!metadata.is_object()) return Bad("'__metadata__' must be an object");
  for (const auto& item : metadata.items()) {
    if (!item.value().is_string()) return Bad("'__metadata__' must hold strings only");
  }
  return {};
}

Result<void> CheckCoverage(std::vector<Range>& ranges, uint64_t data_bytes) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  uint64_t at = 0;
  for (const Range& range : ranges) {
    if (range.begin != at) {
      return Bad("tensors " + std::string(range.begin < at ? "overlap" : "leave a gap") +
                 " at data byte " + std::to_string(at));
    }
    at = range.end;
  }
  if (at != data_bytes) {
    return Bad("tensors end at data byte " + std::to_string(at) + ", the file at " +
               std::to_string(data_bytes) + ": it is truncated or has extra bytes");
  }
  return {};
}

}  // namespace

Result<void> CheckSafetensors(const File& file, TensorElements* elements) {
  const uint64_t size = TRY(file.Size());
  uint8_t length_field[kLengthBytes];
  const size_t got = TRY(file.ReadAt(0, length_field));
  if (got < kLengthBytes) return Bad("too short for a safetensors file");
  uint64_t header_bytes = 0;
  for (size_t i = kLengthBytes; i-- > 0;) header_bytes = header_bytes << 8 | length_field[i];
  if (header_bytes > kMaxSafetensorsHeaderBytes || header_bytes > size - kLengthBytes) {
    return Bad("its header claims " + std::to_string(header_bytes) +
               " bytes; not a safetensors file, or a truncated one");
  }
  std::string header(header_bytes, '\0');
  const size_t header_got =
      TRY(file.ReadAt(kLengthBytes, {reinterpret_cast<uint8_t*>(header.data()), header.size()}));
  if (header_got < header_bytes || !header.starts_with('{')) return Bad("its header is not JSON");
  const JsonLimits limits{
      .max_bytes = kMaxSafetensorsHeaderBytes, .max_depth = 4, .allow_floats = false};
  const Json json = TRY(ParseJson(header, limits).WithContext("header"));
  std::vector<Range> ranges;
  for (const auto& item : json.items()) {
    if (item.key() == "__metadata__") {
      TRY(CheckMetadata(item.value()));
      continue;
    }
    if (item.key().find('\0') != std::string::npos) {
      return Bad("tensor " + format::Quote(item.key()) + ": its name holds a zero byte");
    }
    const Result<Range> range = CheckTensor(item.value());
    if (!range) return Bad("tensor " + format::Quote(item.key()) + ": " + range.error().message());
    ranges.push_back(*range);
    if (elements != nullptr) {
      (*elements)[std::string(range->type->name)] +=
          (range->end - range->begin) * 8 / range->type->bits;
    }
  }
  if (ranges.empty()) return Bad("it has no tensors");
  return CheckCoverage(ranges, size - kLengthBytes - header_bytes);
}

}  // namespace skerry::inspect
