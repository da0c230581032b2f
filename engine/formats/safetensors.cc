#include "engine/formats/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "appliance/base/json.h"

namespace skerry::engine {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr size_t kMaxDepth = 5;
constexpr std::string_view kSuffix = ".safetensors";
constexpr std::string_view kIndexSuffix = ".safetensors.index.json";

struct DTypeRow {
  std::string_view name;
  uint64_t bits;
};

constexpr std::array kDTypes = {
    DTypeRow{"BOOL", 8},    DTypeRow{"U8", 8},      DTypeRow{"I8", 8},    DTypeRow{"F8_E4M3", 8},
    DTypeRow{"F8_E5M2", 8}, DTypeRow{"F8_E8M0", 8}, DTypeRow{"F4", 4},    DTypeRow{"I16", 16},
    DTypeRow{"U16", 16},    DTypeRow{"F16", 16},    DTypeRow{"BF16", 16}, DTypeRow{"I32", 32},
    DTypeRow{"U32", 32},    DTypeRow{"F32", 32},    DTypeRow{"F64", 64},  DTypeRow{"I64", 64},
    DTypeRow{"U64", 64},
};

std::optional<uint64_t> DTypeBits(std::string_view name) {
  for (const DTypeRow& row : kDTypes) {
    if (row.name == name) return row.bits;
  }
  return std::nullopt;
}

Error Corrupt(const std::string& path, const std::string& what) {
  return Error(ErrorCode::kCorrupt, "'" + path + "': " + what);
}

std::string CutShort() { return "; is the file cut short? Then " + std::string(kCopyAgain); }

std::optional<uint64_t> AsUnsigned(const Json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  return value.get<int64_t>() < 0 ? std::nullopt : std::optional(value.get<uint64_t>());
}

struct Entry {
  SafetensorsTensor tensor;
  uint64_t begin = 0;
  uint64_t end = 0;
};

// Number of bytes of the shape, or nothing on overflow or half a byte.
std::optional<uint64_t> SizeBytes(const std::vector<int64_t>& shape, uint64_t bits) {
  constexpr uint64_t kMaxElements = uint64_t{1} << 56;
  uint64_t n_elements = 1;
  for (const int64_t dim : shape) {
    const auto count = static_cast<uint64_t>(dim);
    if (count > kMaxElements || (count > 0 && n_elements > kMaxElements / count)) {
      return std::nullopt;
    }
    n_elements *= count;
  }
  if (n_elements * bits % 8 != 0) return std::nullopt;
  return n_elements * bits / 8;
}

Result<std::vector<int64_t>> ReadShape(const Json& json, const std::string& path,
                                       const std::string& what) {
  if (!json.is_array()) return Corrupt(path, what + ": 'shape' is not an array");
  if (json.size() > SafetensorsLimits::kMaxDims) {
    return Error(ErrorCode::kExhausted,
                 "'" + path + "': " + what + " has " + std::to_string(json.size()) + " dimensions");
  }
  std::vector<int64_t> shape;
  for (const Json& dim : json) {
    const std::optional<uint64_t> value = AsUnsigned(dim);
    if (!value || *value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Corrupt(path, what + ": a dimension of 'shape' is not a count");
    }
    shape.push_back(static_cast<int64_t>(*value));
  }
  return shape;
}

Result<Entry> ReadEntry(const std::string& name, const Json& json, const std::string& path) {
  const std::string what = "tensor '" + name + "'";
  if (name.empty() || name.size() > SafetensorsLimits::kMaxNameBytes) {
    return Corrupt(path, "a tensor's name is empty or too long");
  }
  if (!json.is_object() || json.size() != 3 || !json.contains("dtype") || !json.contains("shape") ||
      !json.contains("data_offsets")) {
    return Corrupt(path, what + " has not exactly 'dtype', 'shape' and 'data_offsets'");
  }
  Entry entry;
  entry.tensor.name = name;
  if (!json["dtype"].is_string()) return Corrupt(path, what + ": 'dtype' is not a string");
  entry.tensor.dtype = json["dtype"].get<std::string>();
  const std::optional<uint64_t> bits = DTypeBits(entry.tensor.dtype);
  if (!bits) return Corrupt(path, what + " has the unknown dtype '" + entry.tensor.dtype + "'");
  entry.tensor.shape = TRY(ReadShape(json["shape"], path, what));
  const Json& offsets = json["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2) {
    return Corrupt(path, what + ": 'data_offsets' is not a pair");
  }
  const std::optional<uint64_t> begin = AsUnsigned(offsets[0]);
  const std::optional<uint64_t> end = AsUnsigned(offsets[1]);
  if (!begin || !end || *begin > *end) {
    return Corrupt(path, what + ": 'data_offsets' is not a range");
  }
  entry.begin = *begin;
  entry.end = *end;
  const std::optional<uint64_t> expected = SizeBytes(entry.tensor.shape, *bits);
  if (!expected || *expected != entry.end - entry.begin) {
    return Corrupt(path, what + ": shape and dtype need " +
                             (expected ? std::to_string(*expected) : "impossibly many") +
                             " bytes, 'data_offsets' has " +
                             std::to_string(entry.end - entry.begin));
  }
  return entry;
}

// Every byte of the data must belong to exactly one tensor.
Result<void> CheckTiling(std::vector<Entry>& entries, uint64_t data_bytes,
                         const std::string& path) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  uint64_t next = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != next) {
      return Corrupt(path, "tensor '" + entry.tensor.name + "' starts at " +
                               std::to_string(entry.begin) + " of the data, " +
                               (entry.begin < next ? "inside another tensor" : "behind a hole") +
                               "; expected " + std::to_string(next));
    }
    if (entry.end > data_bytes) {
      return Corrupt(path, "tensor '" + entry.tensor.name + "' ends at " +
                               std::to_string(entry.end) + ", the data at " +
                               std::to_string(data_bytes) + CutShort());
    }
    next = entry.end;
  }
  if (next != data_bytes) {
    return Corrupt(path, std::to_string(data_bytes - next) + " bytes belong to no tensor");
  }
  return {};
}

Result<void> CheckMetadata(const Json& json, const std::string& path) {
  if (!json.is_object()) return Corrupt(path, "'__metadata__' is not an object");
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) {
      return Corrupt(path, "'__metadata__' has '" + key + "', which is not a string");
    }
  }
  return {};
}

// A plain name of a file beside the index.
bool IsShardName(std::string_view name) {
  return name.size() > kSuffix.size() && name.size() < 256 && name.ends_with(kSuffix) &&
         name[0] != '.' && name.find('/') == std::string_view::npos &&
         name.find('\\') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

Result<std::map<std::string, std::string>> ReadIndex(std::string_view text,
                                                     const std::string& path) {
  JsonLimits limits;
  limits.max_bytes = SafetensorsLimits::kMaxHeaderBytes;
  limits.max_depth = kMaxDepth;
  const Json json = TRY(ParseJson(text, limits).WithContext("'" + path + "'"));
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    return Corrupt(path, "no object 'weight_map'");
  }
  std::map<std::string, std::string> shard_of;
  for (const auto& [tensor, shard] : json["weight_map"].items()) {
    if (!shard.is_string()) return Corrupt(path, "the shard of '" + tensor + "' is not a string");
    const std::string& name = shard.get_ref<const std::string&>();
    if (!IsShardName(name)) {
      return Error(ErrorCode::kDenied, "'" + path + "': the shard of '" + tensor +
                                           "' is not the plain name of a .safetensors file");
    }
    shard_of.emplace(tensor, name);
  }
  if (shard_of.empty()) return Corrupt(path, "'weight_map' is empty");
  return shard_of;
}

Result<void> CheckAgainstIndex(const std::vector<SafetensorsFile>& files,
                               const std::vector<std::string>& names,
                               const std::map<std::string, std::string>& shard_of) {
  size_t n_found = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    for (const SafetensorsTensor& tensor : files[i].tensors()) {
      const auto it = shard_of.find(tensor.name);
      if (it == shard_of.end() || it->second != names[i]) {
        return Corrupt(
            files[i].path(),
            "holds tensor '" + tensor.name + "', which the index " +
                (it == shard_of.end() ? "does not list" : "places in '" + it->second + "'"));
      }
      ++n_found;
    }
  }
  if (n_found == shard_of.size()) return {};
  for (const auto& [tensor, shard] : shard_of) {
    const size_t i = std::find(names.begin(), names.end(), shard) - names.begin();
    if (files[i].FindTensor(tensor) == nullptr) {
      return Corrupt(files[i].path(),
                     "lacks tensor '" + tensor +
                         "', which the index places there; are they of one model? If so, " +
                         std::string(kCopyAgain));
    }
  }
  return {};
}

}  // namespace

Result<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  MappedFile mapped = TRY(MappedFile::Open(path));
  auto file = std::make_shared<MappedFile>(std::move(mapped));
  SafetensorsFile out = TRY(Parse(file->bytes(), path));
  out.file_ = std::move(file);
  return out;
}

Result<SafetensorsFile> SafetensorsFile::Parse(std::span<const uint8_t> bytes, std::string name) {
  SafetensorsFile out;
  out.path_ = std::move(name);
  if (bytes.size() < kLengthBytes) {
    return Corrupt(out.path_, "too short for a safetensors file" + CutShort());
  }
  uint64_t header_bytes;
  std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  if (header_bytes > SafetensorsLimits::kMaxHeaderBytes) {
    return Error(ErrorCode::kExhausted, "'" + out.path_ + "': a header of " +
                                            std::to_string(header_bytes) +
                                            " bytes is beyond the limit; not a safetensors file?");
  }
  if (header_bytes > bytes.size() - kLengthBytes) {
    return Corrupt(out.path_, "ends inside its header" + CutShort());
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data() + kLengthBytes),
                              header_bytes);
  JsonLimits limits;
  limits.max_bytes = SafetensorsLimits::kMaxHeaderBytes;
  limits.max_depth = kMaxDepth;
  limits.allow_floats = false;
  const Json json = TRY(ParseJson(text, limits).WithContext("'" + out.path_ + "': header"));
  if (!json.is_object()) return Corrupt(out.path_, "the header is not a JSON object");
  if (json.size() > SafetensorsLimits::kMaxTensors) {
    return Error(ErrorCode::kExhausted, "'" + out.path_ + "': " + std::to_string(json.size()) +
                                            " tensors are beyond the limit");
  }
  std::vector<Entry> entries;
  for (const auto& [key, value] : json.items()) {
    if (key == "__metadata__") {
      TRY(CheckMetadata(value, out.path_));
      continue;
    }
    Entry entry = TRY(ReadEntry(key, value, out.path_));
    entries.push_back(std::move(entry));
  }
  const std::span<const uint8_t> data = bytes.subspan(kLengthBytes + header_bytes);
  TRY(CheckTiling(entries, data.size(), out.path_));
  for (Entry& entry : entries) {
    entry.tensor.bytes = data.subspan(entry.begin, entry.end - entry.begin);
    out.tensors_.push_back(std::move(entry.tensor));
  }
  std::sort(out.tensors_.begin(), out.tensors_.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

const SafetensorsTensor* SafetensorsFile::FindTensor(std::string_view name) const {
  const auto it =
      std::lower_bound(tensors_.begin(), tensors_.end(), name,
                       [](const SafetensorsTensor& a, std::string_view b) { return a.name < b; });
  return it == tensors_.end() || it->name != name ? nullptr : &*it;
}

Result<std::vector<SafetensorsFile>> OpenSafetensorsFolder(const std::string& folder,
                                                           std::string_view stem) {
  std::vector<SafetensorsFile> files;
  const std::string path = folder + "/" + std::string(stem);
  const std::string index_path = path + std::string(kIndexSuffix);
  const Result<MappedFile> index = MappedFile::Open(index_path);
  if (!index && index.error().code() == ErrorCode::kNotFound) {
    Result<SafetensorsFile> file = SafetensorsFile::Open(path + std::string(kSuffix));
    if (!file && file.error().code() == ErrorCode::kNotFound) {
      return Error(ErrorCode::kNotFound, "'" + folder + "' has no weights: neither '" +
                                             std::string(stem) + std::string(kSuffix) + "' nor '" +
                                             std::string(stem) + std::string(kIndexSuffix) +
                                             "' with the files it names");
    }
    if (!file) return file.error();
    files.push_back(*std::move(file));
    return files;
  }
  if (!index) return index.error();
  const std::map<std::string, std::string> shard_of = TRY(ReadIndex(index->text(), index_path));
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : shard_of) shards.insert(shard);
  if (shards.size() > SafetensorsLimits::kMaxShards) {
    return Error(ErrorCode::kExhausted,
                 "'" + index_path + "': " + std::to_string(shards.size()) + " shards");
  }
  std::vector<std::string> names(shards.begin(), shards.end());
  for (const std::string& shard : names) {
    Result<SafetensorsFile> file = SafetensorsFile::Open(folder + "/" + shard);
    if (!file && file.error().code() == ErrorCode::kNotFound) {
      const auto first = std::ranges::find(
          shard_of, shard, [](const auto& row) -> const std::string& { return row.second; });
      return Error(ErrorCode::kNotFound, "'" + folder + "/" + shard + "' is missing, where '" +
                                             index_path + "' places tensor '" + first->first +
                                             "'; " + std::string(kCopyAgain));
    }
    if (!file) return file.error();
    files.push_back(*std::move(file));
  }
  TRY(CheckAgainstIndex(files, names, shard_of));
  return files;
}

}  // namespace skerry::engine
