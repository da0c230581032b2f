#include "engine/formats/gguf.h"

#include <limits>
#include <optional>

#include "engine/formats/gguf_parts.h"
#include "engine/formats/internal/gguf_layout.h"
#include "engine/formats/mapped_file.h"

namespace skerry::engine {

using namespace internal;  // the format's numbers

namespace {

constexpr std::string_view kPartNumberKey = "split.no";  // from 0
constexpr std::string_view kPartCountKey = "split.count";
constexpr std::string_view kPartTensorsKey = "split.tensors.count";  // of all parts

std::optional<int64_t> IntegerAt(uint32_t type, const uint8_t* at) {
  switch (type) {
    case kU8:
      return Load<uint8_t>(at);
    case kI8:
      return Load<int8_t>(at);
    case kU16:
      return Load<uint16_t>(at);
    case kI16:
      return Load<int16_t>(at);
    case kU32:
      return Load<uint32_t>(at);
    case kI32:
      return Load<int32_t>(at);
    case kI64:
      return Load<int64_t>(at);
    case kU64: {
      const auto value = Load<uint64_t>(at);
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
      return static_cast<int64_t>(value);
    }
    default:
      return std::nullopt;
  }
}

// The string whose length prefix is at `at`; both were checked when the file was parsed.
std::string_view StringAt(const uint8_t* at) {
  return {reinterpret_cast<const char*>(at + 8), Load<uint64_t>(at)};
}

}  // namespace

Result<GgufFile> GgufFile::OpenOne(const std::string& path) {
  MappedFile mapped = TRY(MappedFile::Open(path));
  auto file = std::make_shared<MappedFile>(std::move(mapped));
  GgufFile gguf = TRY(Parse(file->bytes(), path));
  gguf.mapping_ = std::move(file);
  return gguf;
}

Result<GgufFile> GgufFile::Open(const std::string& path) {
  GgufFile file = TRY(OpenOne(path));
  const int64_t n_parts = TRY(file.GetIntOr(kPartCountKey, 1));
  if (n_parts > 1) TRY(file.OpenOtherParts(n_parts));
  return file;
}

Result<void> GgufFile::OpenOtherParts(int64_t n_parts) {
  const std::string file = Quoted(path_);
  if (n_parts > GgufLimits::kMaxParts) {
    return Error(ErrorCode::kExhausted, file + " is one of " + std::to_string(n_parts) +
                                            " parts, more than the limit of " +
                                            std::to_string(GgufLimits::kMaxParts));
  }
  const int64_t number = TRY(GetInt(kPartNumberKey));
  const std::string which = "part " + std::to_string(number + 1) + " of " + std::to_string(n_parts);
  const std::optional<GgufPartName> name = ParseGgufPartName(path_);
  if (!name) {
    return Error(ErrorCode::kInvalidArgument,
                 file + " is " + which +
                     "; the others are found by its name, which must end as in "
                     "'-00001-of-00003.gguf'");
  }
  if (name->number != number + 1 || name->count != n_parts) {
    return Error(ErrorCode::kCorrupt,
                 file + " says of itself that it is " + which + ": it was renamed or mixed up");
  }
  if (number != 0) {
    const Result<MappedFile> first = MappedFile::Open(name->Part(1));
    const bool missing = !first && first.error().code() == ErrorCode::kNotFound;
    return Error(missing ? ErrorCode::kNotFound : ErrorCode::kInvalidArgument,
                 file + " is " + which +
                     (missing ? "; the first is missing, " : "; open the first, ") +
                     Quoted(name->Part(1)) + (missing ? ": " + std::string(kCopyAgain) : ""));
  }
  const int64_t n_tensors = TRY(GetInt(kPartTensorsKey));
  std::vector<std::shared_ptr<const void>> mappings = {mapping_};
  for (int part = 2; part <= name->count; ++part) {
    Result<GgufFile> opened = OpenOne(name->Part(part));
    if (!opened && opened.error().code() == ErrorCode::kNotFound) {
      return Error(ErrorCode::kNotFound,
                   Quoted(name->Part(part)) + " is missing: part " + std::to_string(part) + " of " +
                       std::to_string(n_parts) + "; " + std::string(kCopyAgain));
    }
    if (!opened) return opened.error();
    mappings.push_back(opened->mapping_);
    TRY(AddPart(*std::move(opened), part - 1, n_parts));
  }
  if (n_tensors != static_cast<int64_t>(tensors_.size())) {
    return Error(ErrorCode::kCorrupt, file + ": '" + std::string(kPartTensorsKey) + "' is " +
                                          std::to_string(n_tensors) + ", its parts have " +
                                          std::to_string(tensors_.size()));
  }
  mapping_ = std::make_shared<decltype(mappings)>(std::move(mappings));
  // What stands for the whole says nothing of parts.
  for (const std::string_view key : {kPartNumberKey, kPartCountKey, kPartTensorsKey}) {
    values_.erase(key);
  }
  return {};
}

Result<void> GgufFile::AddPart(GgufFile part, int64_t number, int64_t n_parts) {
  const int64_t part_number = TRY(part.GetInt(kPartNumberKey));
  const int64_t part_count = TRY(part.GetInt(kPartCountKey));
  if (part_number != number || part_count != n_parts) {
    return Error(ErrorCode::kCorrupt, Quoted(part.path_) + " says of itself that it is part " +
                                          std::to_string(part_number + 1) + " of " +
                                          std::to_string(part_count) +
                                          ": it was renamed or mixed up");
  }
  for (GgufTensor& tensor : part.tensors_) {
    if (!tensor_index_.emplace(tensor.name, tensors_.size()).second) {
      return Error(ErrorCode::kCorrupt, Quoted(part.path_) + ": tensor " + Quoted(tensor.name) +
                                            " is in an earlier part, too");
    }
    tensors_.push_back(std::move(tensor));
  }
  return {};
}

const GgufTensor* GgufFile::FindTensor(std::string_view name) const {
  const auto it = tensor_index_.find(name);
  return it == tensor_index_.end() ? nullptr : &tensors_[it->second];
}

std::vector<std::string_view> GgufFile::Keys() const {
  std::vector<std::string_view> keys;
  keys.reserve(values_.size());
  for (const auto& [key, value] : values_) keys.push_back(key);
  return keys;
}

bool GgufFile::IsArray(std::string_view key) const {
  const auto it = values_.find(key);
  return it != values_.end() && it->second.is_array;
}

Result<const GgufFile::Value*> GgufFile::Find(std::string_view key, bool array) const {
  const auto it = values_.find(key);
  if (it == values_.end()) {
    return Error(ErrorCode::kNotFound, Quoted(path_) + " has no metadata " + Quoted(key));
  }
  if (it->second.is_array != array) {
    return Error(ErrorCode::kInvalidArgument, Quoted(path_) + ": metadata " + Quoted(key) +
                                                  (array ? " is not an array" : " is an array"));
  }
  return &it->second;
}

namespace {

Error WrongType(const std::string& path, std::string_view key, const char* wanted) {
  return Error(ErrorCode::kInvalidArgument,
               Quoted(path) + ": metadata " + Quoted(key) + " is not " + wanted);
}

}  // namespace

Result<std::string_view> GgufFile::GetString(std::string_view key) const {
  const Value* value = TRY(Find(key, /*array=*/false));
  if (value->type != kString) return WrongType(path_, key, "a string");
  return StringAt(value->data);
}

Result<int64_t> GgufFile::GetInt(std::string_view key) const {
  const Value* value = TRY(Find(key, /*array=*/false));
  const std::optional<int64_t> number = IntegerAt(value->type, value->data);
  if (!number) return WrongType(path_, key, "an integer below 2^63");
  return *number;
}

Result<double> GgufFile::GetFloat(std::string_view key) const {
  const Value* value = TRY(Find(key, /*array=*/false));
  if (value->type == kF32) return static_cast<double>(Load<float>(value->data));
  if (value->type == kF64) return Load<double>(value->data);
  return WrongType(path_, key, "a floating-point number");
}

Result<bool> GgufFile::GetBool(std::string_view key) const {
  const Value* value = TRY(Find(key, /*array=*/false));
  if (value->type != kBool) return WrongType(path_, key, "a bool");
  return *value->data != 0;
}

Result<std::vector<std::string_view>> GgufFile::GetStrings(std::string_view key) const {
  const Value* value = TRY(Find(key, /*array=*/true));
  if (value->type != kString) return WrongType(path_, key, "an array of strings");
  std::vector<std::string_view> out;
  out.reserve(value->count);
  const uint8_t* at = value->data;
  for (uint64_t i = 0; i < value->count; ++i) {
    out.push_back(StringAt(at));
    at += 8 + out.back().size();
  }
  return out;
}

Result<std::vector<float>> GgufFile::GetFloats(std::string_view key) const {
  const Value* value = TRY(Find(key, /*array=*/true));
  if (value->type != kF32) return WrongType(path_, key, "an array of F32");
  std::vector<float> out(value->count);
  if (!out.empty()) std::memcpy(out.data(), value->data, out.size() * sizeof(float));
  return out;
}

Result<std::vector<int64_t>> GgufFile::GetInts(std::string_view key) const {
  const Value* value = TRY(Find(key, /*array=*/true));
  std::vector<int64_t> out;
  out.reserve(value->count);
  const uint64_t element = ScalarBytes(value->type);
  for (uint64_t i = 0; i < value->count; ++i) {
    const std::optional<int64_t> number = IntegerAt(value->type, value->data + i * element);
    if (!number) return WrongType(path_, key, "an array of integers below 2^63");
    out.push_back(*number);
  }
  return out;
}

Result<std::string_view> GgufFile::GetStringOr(std::string_view key,
                                               std::string_view fallback) const {
  return Has(key) ? GetString(key) : Result<std::string_view>(fallback);
}

Result<int64_t> GgufFile::GetIntOr(std::string_view key, int64_t fallback) const {
  return Has(key) ? GetInt(key) : Result<int64_t>(fallback);
}

Result<double> GgufFile::GetFloatOr(std::string_view key, double fallback) const {
  return Has(key) ? GetFloat(key) : Result<double>(fallback);
}

Result<bool> GgufFile::GetBoolOr(std::string_view key, bool fallback) const {
  return Has(key) ? GetBool(key) : Result<bool>(fallback);
}

}  // namespace skerry::engine
