#include "engine/architectures/checkpoint.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "engine/architectures/internal/readers.h"
#include "engine/architectures/internal/tensor_names.h"
#include "engine/architectures/registry.h"
#include "engine/formats/gguf_parts.h"
#include "engine/formats/mapped_file.h"

namespace skerry::engine {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;

// A file's text; empty when there is none.
Result<std::string> ReadOptional(const std::string& path) {
  const Result<MappedFile> file = MappedFile::Open(path);
  if (!file && file.error().code() == ErrorCode::kNotFound) return std::string();
  if (!file) return file.error();
  if (file->bytes().size() > kMaxConfigBytes) {
    return Error(ErrorCode::kExhausted, "'" + path + "' is longer than 1 MiB");
  }
  return std::string(file->text());
}

// The GGUF checkpoints of a folder; one in parts counts as one.
Result<std::vector<std::string>> ListGguf(const std::string& folder) {
  DIR* directory = ::opendir(folder.c_str());
  if (directory == nullptr) return ErrnoError("cannot list '" + folder + "'", errno);
  std::vector<std::string> paths;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name.ends_with(".gguf")) paths.push_back(folder + "/" + std::string(name));
  }
  ::closedir(directory);
  return GgufCheckpoints(paths);
}

// Precomputed by old exports; rope is computed from the configuration.
bool IsDerived(std::string_view name) {
  return name == "rope_freqs.weight" || name.ends_with(".self_attn.rotary_emb.inv_freq");
}

bool IsIgnored(const Architecture& architecture, std::string_view name) {
  if (IsDerived(name)) return true;
  for (const std::string_view ignored : architecture.ignored_tensors) {
    if (ignored.ends_with('.') ? name.starts_with(ignored) : name == ignored) return true;
  }
  return false;
}

// Rows of each head from adjacent pairs (2i, 2i+1) to half-split (i, i + d/2).
std::vector<uint8_t> SplitPairs(std::span<const uint8_t> bytes, int64_t n_heads, int64_t n_rows) {
  std::vector<uint8_t> out(bytes.size());
  const size_t row_bytes = bytes.size() / n_rows;
  const int64_t head_dim = n_rows / n_heads;
  for (int64_t row = 0; row < n_rows; ++row) {
    const int64_t in_head = row % head_dim;
    const int64_t target = row - in_head + in_head / 2 + in_head % 2 * (head_dim / 2);
    std::memcpy(out.data() + target * row_bytes, bytes.data() + row * row_bytes, row_bytes);
  }
  return out;
}

}  // namespace

// Where a tensor of the plan lies in the files, and what has to be done to it.
struct Checkpoint::Place {
  const TensorName* row = nullptr;
  std::string_view pattern;  // the row's name in this layout
  int64_t layer = -1;
  int64_t interleaved_heads = 0;  // > 0: rows of that many heads have adjacent rotary pairs
};

Result<Checkpoint> Checkpoint::Open(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return ErrnoError("cannot open model '" + path + "'", errno);
  Checkpoint checkpoint;
  if (!S_ISDIR(info.st_mode)) {
    TRY(checkpoint.OpenGguf(path));
    return checkpoint;
  }
  const std::string config = TRY(ReadOptional(path + "/config.json"));
  if (!config.empty()) {
    TRY(checkpoint.OpenFolder(path));
    return checkpoint;
  }
  const std::vector<std::string> files = TRY(ListGguf(path));
  if (files.size() > 1) {
    return Error(
        ErrorCode::kInvalidArgument,
        "'" + path + "' holds " + std::to_string(files.size()) + " .gguf files; name one of them");
  }
  if (files.empty()) {
    return Error(ErrorCode::kNotFound,
                 "'" + path + "' holds no model: neither config.json nor a .gguf file");
  }
  TRY(checkpoint.OpenGguf(files[0]));
  return checkpoint;
}

void Checkpoint::AddSafetensors(const SafetensorsFile& file) {
  const bool wrapped = config_.wrapper != nullptr;
  for (const SafetensorsTensor& tensor : file.tensors()) {
    std::string name = tensor.name;
    if (layout_ == Layout::kHuggingFace) {
      name = internal::WithoutPrefix(tensor.name, *config_.architecture, wrapped);
    }
    if (name.empty()) continue;
    sources_[name] = {tensor.name,  file.path(),  tensor.dtype,
                      tensor.shape, tensor.bytes, file.mapping()};
  }
}

Result<void> Checkpoint::OpenFolder(const std::string& path) {
  folder_ = path;
  const std::string config = TRY(ReadOptional(path + "/config.json"));
  const std::string generation = TRY(ReadOptional(path + "/generation_config.json"));
  config_ = TRY(internal::ReadHuggingFaceConfig(config, generation)
                    .WithContext("'" + path + "/config.json'"));
  const std::vector<SafetensorsFile> files = TRY(OpenSafetensorsFolder(path));
  for (const SafetensorsFile& file : files) AddSafetensors(file);
  return CheckSources();
}

Result<void> Checkpoint::OpenGguf(const std::string& path) {
  layout_ = Layout::kGguf;
  const size_t slash = path.rfind('/');
  folder_ = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  GgufFile file = TRY(GgufFile::Open(path));
  gguf_ = std::make_shared<const GgufFile>(std::move(file));
  config_ = TRY(internal::ReadGgufConfig(*gguf_).WithContext("'" + path + "'"));
  for (const GgufTensor& tensor : gguf_->tensors()) {
    sources_[tensor.name] = {tensor.name,
                             path,
                             GgufTypeName(tensor.type),
                             {tensor.dims.rbegin(), tensor.dims.rend()},
                             tensor.bytes,
                             gguf_->mapping()};
  }
  return CheckSources();
}

// Every tensor of the files must have a place in the model and a type that the engine computes
// with. That none is missing shows when they are loaded.
Result<void> Checkpoint::CheckSources() const {
  std::set<std::string, std::less<>> expected;
  for (const WeightSpec& weight : ModelWeights(config_)) {
    const Place place = TRY(FindPlace(weight.name));
    const bool each = place.pattern.find('*') != std::string_view::npos;
    for (int64_t expert = 0; expert < (each ? config_.n_experts : 1); ++expert) {
      expected.insert(internal::Expand(place.pattern, place.layer, expert));
    }
  }
  for (const auto& [name, source] : sources_) {
    if (IsIgnored(*config_.architecture, name)) continue;
    // Some exports write the tied matrix a second time.
    if (config_.tie_word_embeddings && name == "lm_head.weight") continue;
    if (!expected.contains(name)) {
      return Error(ErrorCode::kInvalidArgument,
                   "'" + source.file + "': tensor '" + source.spelled + "' has no place in a " +
                       std::string(config_.architecture->name) + " model of " +
                       std::to_string(config_.n_layers) + " layers");
    }
    if (!FindDType(source.type)) {
      return Error(ErrorCode::kInvalidArgument, "'" + source.file + "': tensor '" + source.spelled +
                                                    "' is " + source.type + "; supported are " +
                                                    DTypeList());
    }
  }
  return {};
}

Result<Checkpoint::Place> Checkpoint::FindPlace(std::string_view name) const {
  const internal::PlanTensor tensor = internal::SplitName(name);
  Place place;
  place.layer = tensor.layer;
  place.row = FindTensorName(*config_.architecture, tensor.row);
  if (place.row != nullptr) place.pattern = internal::NameIn(layout_, *place.row);
  if (place.pattern.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 "'" + folder_ + "': a " + std::string(config_.architecture->name) +
                     " model with '" + std::string(name) + "' is not known in this layout");
  }
  const bool pairs = layout_ == Layout::kMistral ||
                     (layout_ == Layout::kGguf && config_.architecture->gguf.rotary_pairs);
  if (pairs && (tensor.row == "attn_q" || tensor.row == "attn_q_bias")) {
    place.interleaved_heads = config_.n_heads;
  } else if (pairs && (tensor.row == "attn_k" || tensor.row == "attn_k_bias")) {
    place.interleaved_heads = config_.n_kv_heads;
  }
  return place;
}

Result<const Checkpoint::Source*> Checkpoint::Find(const std::string& name,
                                                   std::span<const int64_t> shape) const {
  const auto it = sources_.find(name);
  if (it == sources_.end()) {
    return Error(ErrorCode::kNotFound, "'" + (gguf_ ? gguf_->path() : folder_) +
                                           "' has no tensor '" + name + "', expected with shape " +
                                           ShapeString(shape));
  }
  const Source& source = it->second;
  if (!std::equal(shape.begin(), shape.end(), source.shape.begin(), source.shape.end())) {
    return Error(ErrorCode::kCorrupt, "'" + source.file + "': tensor '" + source.spelled +
                                          "' has shape " + ShapeString(source.shape) +
                                          ", expected " + ShapeString(shape));
  }
  return &source;
}

// `bytes` of `source` as a tensor of `shape`.
Result<Tensor> Checkpoint::Make(const Source& source, const Place& place,
                                std::span<const uint8_t> bytes,
                                std::span<const int64_t> shape) const {
  if (place.interleaved_heads > 0 && shape[0] % (2 * place.interleaved_heads) != 0) {
    return Error(ErrorCode::kCorrupt, "'" + source.file + "': tensor '" + source.spelled +
                                          "' does not consist of rotary pairs");
  }
  Tensor tensor{*FindDType(source.type), {shape.begin(), shape.end()}, bytes, source.mapping, {}};
  const bool aligned =
      reinterpret_cast<uintptr_t>(bytes.data()) % DTypeAlignment(tensor.dtype) == 0;
  if (aligned && place.interleaved_heads == 0) return tensor;
  auto copy = std::make_shared<std::vector<uint8_t>>(
      place.interleaved_heads > 0 ? SplitPairs(bytes, place.interleaved_heads, shape[0])
                                  : std::vector(bytes.begin(), bytes.end()));
  tensor.bytes = *copy;
  tensor.owner = std::move(copy);
  return tensor;
}

Result<Tensor> Checkpoint::Load(std::string_view name, std::span<const int64_t> shape) const {
  const Place place = TRY(FindPlace(name));
  const Source* source = TRY(Find(internal::Expand(place.pattern, place.layer), shape));
  return Make(*source, place, source->bytes, shape);
}

Result<std::vector<Tensor>> Checkpoint::LoadExperts(std::string_view name,
                                                    std::span<const int64_t> shape) const {
  const Place place = TRY(FindPlace(name));
  const std::span<const int64_t> each = shape.subspan(1);
  std::vector<Tensor> experts;
  if (place.pattern.find('*') != std::string_view::npos) {
    for (int64_t expert = 0; expert < shape[0]; ++expert) {
      const Source* source = TRY(Find(internal::Expand(place.pattern, place.layer, expert), each));
      Tensor tensor = TRY(Make(*source, place, source->bytes, each));
      experts.push_back(std::move(tensor));
    }
    return experts;
  }
  const Source* source = TRY(Find(internal::Expand(place.pattern, place.layer), shape));
  const size_t expert_bytes = source->bytes.size() / shape[0];
  for (int64_t expert = 0; expert < shape[0]; ++expert) {
    Tensor tensor =
        TRY(Make(*source, place, source->bytes.subspan(expert * expert_bytes, expert_bytes), each));
    experts.push_back(std::move(tensor));
  }
  return experts;
}

CheckpointSupport SupportedCheckpoints() {
  CheckpointSupport support;
  for (const Architecture* architecture : Architectures()) {
    const HuggingFaceSide& side = architecture->hugging_face;
    if (!side.model_type.empty()) support.huggingface.push_back(side.model_type);
    for (const Wrapper& wrapper : side.wrappers) support.huggingface.push_back(wrapper.model_type);
    const auto names = architecture->gguf.names;
    support.gguf.insert(support.gguf.end(), names.begin(), names.end());
  }
  for (const DType dtype : kDTypes) support.tensor_types.push_back(DTypeName(dtype));
  return support;
}

}  // namespace skerry::engine
