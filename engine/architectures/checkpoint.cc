#include "engine/architectures/checkpoint.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "engine/architectures/internal/layouts.h"
#include "engine/architectures/internal/readers.h"
#include "engine/architectures/internal/tensor_names.h"
#include "engine/architectures/registry.h"
#include "engine/formats/dequantize.h"
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

Result<std::vector<std::string>> ListFiles(const std::string& folder, std::string_view begin,
                                           std::string_view end) {
  DIR* directory = ::opendir(folder.c_str());
  if (directory == nullptr) return ErrnoError("cannot list '" + folder + "'", errno);
  std::vector<std::string> paths;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name.starts_with(begin) && name.ends_with(end)) {
      paths.push_back(folder + "/" + std::string(name));
    }
  }
  ::closedir(directory);
  return paths;
}

// The GGUF checkpoints of a folder; one in parts counts as one.
Result<std::vector<std::string>> ListGguf(const std::string& folder) {
  const std::vector<std::string> paths = TRY(ListFiles(folder, "", ".gguf"));
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

// consolidated.safetensors, or all of its parts, in the order of their names.
Result<std::vector<std::string>> ListConsolidated(const std::string& folder) {
  std::vector<std::string> paths = TRY(ListFiles(folder, "consolidated", ".safetensors"));
  std::sort(paths.begin(), paths.end());
  if (paths.size() > SafetensorsLimits::kMaxShards) {
    return Error(ErrorCode::kExhausted, "'" + folder + "' holds too many files");
  }
  return paths;
}

bool Exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

// The experts' matrices are MXFP4 in two tensors of bytes: NAME_blocks and NAME_scales.
constexpr std::string_view kBlocks = "_blocks";
constexpr std::string_view kScales = "_scales";
constexpr std::string_view kBytesType = "U8";

bool IsMxfp4(std::string_view pattern) { return pattern.ends_with(kBlocks); }

std::string ScalesName(std::string_view blocks_name) {
  return std::string(blocks_name.substr(0, blocks_name.size() - kBlocks.size())) +
         std::string(kScales);
}

}  // namespace

// Where a tensor of the plan lies in the files, and what has to be done to it.
struct Checkpoint::Place {
  const TensorName* row = nullptr;
  std::string_view pattern;  // the row's name in this layout
  int64_t layer = -1;
  int64_t interleaved_heads = 0;  // > 0: rows of that many heads have adjacent rotary pairs
  Form form = Form::kWhole;
  bool plus_one = false;  // a norm that is stored minus 1
};

Result<Checkpoint> Checkpoint::Open(const std::string& path, ConfigFormat format) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return ErrnoError("cannot open model '" + path + "'", errno);
  Checkpoint checkpoint;
  if (!S_ISDIR(info.st_mode)) {
    TRY(checkpoint.OpenGguf(path));
    return checkpoint;
  }
  const bool common = Exists(path + "/config.json");
  const bool has_weights =
      Exists(path + "/model.safetensors") || Exists(path + "/model.safetensors.index.json");
  const bool own = Exists(path + "/params.json");
  if (format == ConfigFormat::kMistral && !own) {
    return Error(ErrorCode::kNotFound, "'" + path + "' has no params.json");
  }
  if (format == ConfigFormat::kHuggingFace && !common) {
    return Error(ErrorCode::kNotFound, "'" + path + "' has no config.json");
  }
  // A repository of Mistral's may hold the model in both layouts.
  if (format == ConfigFormat::kMistral ||
      (format == ConfigFormat::kAuto && own && !(common && has_weights))) {
    TRY(checkpoint.OpenMistral(path));
    return checkpoint;
  }
  if (common) {
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
    return Error(
        ErrorCode::kNotFound,
        "'" + path + "' holds no model: neither config.json, params.json nor a .gguf file");
  }
  TRY(checkpoint.OpenGguf(files[0]));
  return checkpoint;
}

Result<void> Checkpoint::AddSafetensors(const SafetensorsFile& file) {
  const bool wrapped = config_.wrapper != nullptr;
  const bool partial = !config_.notes.empty();  // other parts are there and left out
  for (const SafetensorsTensor& tensor : file.tensors()) {
    if (partial && internal::IsOtherPart(tensor.name)) continue;
    const std::string name =
        layout_ == Layout::kHuggingFace ? internal::PlainName(tensor.name, wrapped) : tensor.name;
    const auto [entry, added] = sources_.try_emplace(
        name,
        Source{tensor.name, file.path(), tensor.dtype, tensor.shape, tensor.bytes, file.mapping()});
    if (!added) {
      return Error(ErrorCode::kCorrupt, "tensor '" + tensor.name + "' is in '" +
                                            entry->second.file + "' and in '" + file.path() + "'");
    }
  }
  return {};
}

Result<void> Checkpoint::OpenFolder(const std::string& path) {
  folder_ = path;
  const std::string config = TRY(ReadOptional(path + "/config.json"));
  const std::string generation = TRY(ReadOptional(path + "/generation_config.json"));
  config_ = TRY(internal::ReadHuggingFaceConfig(config, generation)
                    .WithContext("'" + path + "/config.json'"));
  const std::string modules = TRY(ReadOptional(path + "/modules.json"));
  const std::string pooling = TRY(ReadOptional(path + "/1_Pooling/config.json"));
  TRY(internal::ReadSentencePooling(modules, pooling, config_).WithContext("'" + path + "'"));
  const std::vector<SafetensorsFile> files = TRY(OpenSafetensorsFolder(path));
  for (const SafetensorsFile& file : files) TRY(AddSafetensors(file));
  return CheckSources();
}

Result<void> Checkpoint::OpenMistral(const std::string& path) {
  layout_ = Layout::kMistral;
  folder_ = path;
  const std::string params = TRY(ReadOptional(path + "/params.json"));
  config_ = TRY(internal::ReadMistralConfig(params).WithContext("'" + path + "/params.json'"));
  if (Exists(path + "/consolidated.safetensors.index.json")) {
    const std::vector<SafetensorsFile> files = TRY(OpenSafetensorsFolder(path, "consolidated"));
    for (const SafetensorsFile& file : files) TRY(AddSafetensors(file));
    return CheckSources();
  }
  const std::vector<std::string> paths = TRY(ListConsolidated(path));
  if (paths.empty()) {
    return Error(ErrorCode::kNotFound,
                 "'" + path + "' has params.json, but no consolidated*.safetensors");
  }
  for (const std::string& file_path : paths) {
    const SafetensorsFile file = TRY(SafetensorsFile::Open(file_path));
    TRY(AddSafetensors(file));
  }
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

// Gives every FP8 matrix its factors, which then are no tensors of their own any more.
Result<void> Checkpoint::PairScales() {
  const std::string_view f8 = DTypeName(DType::kF8E4M3);
  for (auto& [name, source] : sources_) {
    if (source.type != f8) continue;
    const Source* found = nullptr;
    for (const std::string& scale_name : ScaleNames(name)) {
      const auto it = sources_.find(scale_name);
      if (it != sources_.end() && FindDType(it->second.type)) found = &it->second;
    }
    const std::string what = "'" + source.file + "': tensor '" + source.spelled + "'";
    const std::string entry = UnquantisedEntry(config_.quantization, source.spelled);
    if (!entry.empty()) {
      return Error(ErrorCode::kCorrupt,
                   what + " is " + source.type + ", but '" + config_.quantization.unquantised_key +
                       "' of the configuration lists '" + entry +
                       "' as not quantised: they do not belong together; get both from one place");
    }
    if (found == nullptr) {
      return Error(ErrorCode::kInvalidArgument,
                   what + " is " + source.type + " without a scale beside it");
    }
    const Tensor factors{*FindDType(found->type), found->shape, found->bytes, found->mapping};
    source.scales = TRY(ReadScales(config_.quantization, source.shape, factors).WithContext(what));
  }
  std::erase_if(sources_, [&](const auto& entry) {
    const auto weight = sources_.find(WeightOfScale(entry.first));
    return weight != sources_.end() && weight->second.type == f8;
  });
  return {};
}

// Every tensor of the files must have a place in the model and a type that the engine computes
// with. That none is missing shows when they are loaded.
Result<void> Checkpoint::CheckSources() {
  TRY(PairScales());
  std::set<std::string, std::less<>> expected;
  std::set<std::string, std::less<>> expected_bytes;
  for (const WeightSpec& weight : ModelWeights(config_)) {
    const Place place = TRY(FindPlace(weight.name));
    const bool each = place.pattern.find('*') != std::string_view::npos;
    for (int64_t expert = 0; expert < (each ? config_.n_experts : 1); ++expert) {
      const std::string name = internal::Expand(place.pattern, place.layer, expert);
      if (IsMxfp4(place.pattern)) {
        expected_bytes.insert(name);
        expected_bytes.insert(ScalesName(name));
      } else {
        expected.insert(name);
      }
    }
  }
  for (const auto& [name, source] : sources_) {
    if (IsIgnored(*config_.architecture, name)) continue;
    // Some exports write the tied matrix a second time.
    if (config_.tie_word_embeddings && name == "lm_head.weight") continue;
    if (source.type == kBytesType && expected_bytes.contains(name)) continue;
    if (!expected.contains(name) && !expected_bytes.contains(name)) {
      return Error(ErrorCode::kInvalidArgument,
                   "'" + source.file + "': tensor '" + source.spelled + "' has no place in a " +
                       std::string(config_.architecture->name) + " model of " +
                       std::to_string(config_.n_layers) + " layers");
    }
    if (expected_bytes.contains(name)) {
      return Error(ErrorCode::kInvalidArgument, "'" + source.file + "': tensor '" + source.spelled +
                                                    "' is " + source.type + ", not U8");
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
  if (layout_ == Layout::kHuggingFace) {
    place.form = place.row->form;
    place.plus_one =
        config_.architecture->zero_centred_norms && std::string_view(tensor.row).ends_with("_norm");
  }
  return place;
}

Result<const Checkpoint::Source*> Checkpoint::Find(const std::string& name,
                                                   std::span<const int64_t> shape) const {
  const auto it = sources_.find(name);
  if (it == sources_.end()) {
    return Error(ErrorCode::kNotFound, "'" + (gguf_ ? gguf_->path() : folder_) +
                                           "' has no tensor '" + name + "', expected with shape " +
                                           ShapeString(shape) +
                                           "; is a file of the checkpoint missing or of another?");
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
  Tensor tensor{
      *FindDType(source.type), {shape.begin(), shape.end()}, bytes, source.mapping, source.scales};
  const bool aligned =
      reinterpret_cast<uintptr_t>(bytes.data()) % DTypeAlignment(tensor.dtype) == 0;
  if (aligned && place.interleaved_heads == 0 && place.form == Form::kWhole) {
    return place.plus_one ? internal::PlusOne(tensor) : tensor;
  }
  auto copy = std::make_shared<std::vector<uint8_t>>(bytes.begin(), bytes.end());
  if (place.interleaved_heads > 0) {
    *copy = internal::SplitPairs(bytes, place.interleaved_heads, shape[0]);
    tensor.scales = internal::SplitPairs(source.scales, place.interleaved_heads, tensor.shape);
  } else if (place.form != Form::kWhole) {
    const int64_t element_bytes = BlockOf(tensor.dtype).bytes;
    *copy = internal::EveryOther(bytes, element_bytes, place.form == Form::kOddRows);
  }
  tensor.bytes = *copy;
  tensor.owner = std::move(copy);
  return place.plus_one ? internal::PlusOne(tensor) : tensor;
}

Result<Tensor> Checkpoint::Load(std::string_view name, std::span<const int64_t> shape) const {
  const Place place = TRY(FindPlace(name));
  std::vector<int64_t> stored(shape.begin(), shape.end());
  if (place.form != Form::kWhole) stored.back() *= 2;  // both kinds of rows, of each expert's bias
  const Source* source = TRY(Find(internal::Expand(place.pattern, place.layer), stored));
  return Make(*source, place, source->bytes, shape);
}

Result<std::vector<Tensor>> Checkpoint::LoadExperts(std::string_view name,
                                                    std::span<const int64_t> shape) const {
  const Place place = TRY(FindPlace(name));
  if (IsMxfp4(place.pattern)) return LoadMxfp4Experts(place, shape);
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
    const auto bytes = source->bytes.subspan(expert * expert_bytes, expert_bytes);
    Tensor tensor = TRY(Make(*source, place, bytes, each));
    experts.push_back(std::move(tensor));
  }
  return experts;
}

// Rows of 16 bytes for each group of 32 elements and their exponents, repacked as GGUF has them.
Result<std::vector<Tensor>> Checkpoint::LoadMxfp4Experts(const Place& place,
                                                         std::span<const int64_t> shape) const {
  constexpr int64_t kGroupElements = 32;
  constexpr int64_t kGroupBytes = 16;
  const int64_t n_groups = shape[2] / kGroupElements;
  const int64_t n_stored_rows = place.form == Form::kWhole ? shape[1] : 2 * shape[1];
  const std::string name = internal::Expand(place.pattern, place.layer);
  if (shape[2] % kGroupElements != 0) {
    return Error(ErrorCode::kInvalidArgument, "'" + folder_ + "': rows of " +
                                                  std::to_string(shape[2]) + " elements of '" +
                                                  name + "' are not whole groups of 32");
  }
  const int64_t blocks_shape[] = {shape[0], n_stored_rows, n_groups, kGroupBytes};
  const Source* blocks = TRY(Find(name, blocks_shape));
  const Source* scales = TRY(Find(ScalesName(name), std::span(blocks_shape).first(3)));
  std::vector<Tensor> experts;
  for (int64_t expert = 0; expert < shape[0]; ++expert) {
    const auto part = [&](const Source& source, size_t row_bytes) {
      const size_t size = n_stored_rows * row_bytes;
      const auto bytes = source.bytes.subspan(expert * size, size);
      if (place.form == Form::kWhole) return std::vector(bytes.begin(), bytes.end());
      return internal::EveryOther(bytes, row_bytes, place.form == Form::kOddRows);
    };
    auto packed = std::make_shared<std::vector<uint8_t>>(
        RepackMxfp4(part(*blocks, n_groups * kGroupBytes), part(*scales, n_groups)));
    experts.push_back({DType::kMxfp4, {shape[1], shape[2]}, *packed, packed, {}});
  }
  return experts;
}

CheckpointSupport SupportedCheckpoints() {
  CheckpointSupport support;
  support.mistral = {MistralArchitecture().name};
  for (const Architecture* architecture : Architectures()) {
    const HuggingFaceSide& side = architecture->hugging_face;
    if (!side.model_type.empty()) support.huggingface.push_back(side.model_type);
    for (const Wrapper& wrapper : side.wrappers) {
      const bool known = std::ranges::find(support.huggingface, wrapper.model_type) !=
                         support.huggingface.end();  // it may hold one of several text models
      if (!known) support.huggingface.push_back(wrapper.model_type);
    }
    const auto names = architecture->gguf.names;
    support.gguf.insert(support.gguf.end(), names.begin(), names.end());
  }
  for (const DType dtype : kDTypes) support.tensor_types.push_back(DTypeName(dtype));
  // MXFP4 experts come as bytes, and BERT's files count their positions.
  support.tensor_types.insert(support.tensor_types.end(), {kBytesType, "I64"});
  return support;
}

}  // namespace skerry::engine
