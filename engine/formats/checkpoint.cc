#include "engine/formats/checkpoint.h"

#include <dirent.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "engine/formats/internal/config_readers.h"
#include "engine/formats/safetensors.h"

namespace skerry::engine {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;

struct NameRow {
  std::string_view name;
  std::string_view hugging_face;
  std::string_view gguf;
};

constexpr NameRow kModelNames[] = {
    {"embed", "model.embed_tokens.weight", "token_embd.weight"},
    {"final_norm", "model.norm.weight", "output_norm.weight"},
    {"lm_head", "lm_head.weight", "output.weight"},
};

constexpr NameRow kLayerNames[] = {
    {"attn_norm", "input_layernorm.weight", "attn_norm.weight"},
    {"attn_q", "self_attn.q_proj.weight", "attn_q.weight"},
    {"attn_k", "self_attn.k_proj.weight", "attn_k.weight"},
    {"attn_v", "self_attn.v_proj.weight", "attn_v.weight"},
    {"attn_out", "self_attn.o_proj.weight", "attn_output.weight"},
    {"mlp_norm", "post_attention_layernorm.weight", "ffn_norm.weight"},
    {"mlp_gate", "mlp.gate_proj.weight", "ffn_gate.weight"},
    {"mlp_up", "mlp.up_proj.weight", "ffn_up.weight"},
    {"mlp_down", "mlp.down_proj.weight", "ffn_down.weight"},
};

constexpr std::string_view kLayers = "layers.";

// The two naming schemes differ in a column of the tables and a prefix.
struct Scheme {
  std::string_view NameRow::*column;
  std::string_view layer_prefix;
};
constexpr Scheme kHuggingFace = {&NameRow::hugging_face, "model.layers."};
constexpr Scheme kGguf = {&NameRow::gguf, "blk."};

// "17.rest" -> 17 and "rest".
std::optional<std::pair<int64_t, std::string_view>> SplitLayer(std::string_view text) {
  int64_t layer = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), layer);
  const auto n_digits = static_cast<size_t>(end - text.data());
  if (error != std::errc() || layer < 0 || n_digits >= text.size() || text[n_digits] != '.') {
    return std::nullopt;
  }
  if (n_digits > 1 && text[0] == '0') return std::nullopt;
  return std::pair(layer, text.substr(n_digits + 1));
}

// Our name of a tensor of the file; empty when it is not one the engine knows.
std::string InternalName(const Scheme& scheme, std::string_view source, int64_t n_layers) {
  for (const NameRow& row : kModelNames) {
    if (row.*scheme.column == source) return std::string(row.name);
  }
  if (!source.starts_with(scheme.layer_prefix)) return "";
  const auto layer = SplitLayer(source.substr(scheme.layer_prefix.size()));
  if (!layer || layer->first >= n_layers) return "";
  for (const NameRow& row : kLayerNames) {
    if (row.*scheme.column != layer->second) continue;
    return std::string(kLayers) + std::to_string(layer->first) + "." + std::string(row.name);
  }
  return "";
}

// The inverse, for messages.
std::string SourceName(const Scheme& scheme, std::string_view name) {
  for (const NameRow& row : kModelNames) {
    if (row.name == name) return std::string(row.*scheme.column);
  }
  if (!name.starts_with(kLayers)) return std::string(name);
  const auto layer = SplitLayer(name.substr(kLayers.size()));
  if (!layer) return std::string(name);
  for (const NameRow& row : kLayerNames) {
    if (row.name != layer->second) continue;
    return std::string(scheme.layer_prefix) + std::to_string(layer->first) + "." +
           std::string(row.*scheme.column);
  }
  return std::string(name);
}

// Precomputed by old exports; rope is computed from the configuration.
bool IsIgnored(std::string_view source) {
  return source == "rope_freqs.weight" || source.ends_with(".self_attn.rotary_emb.inv_freq");
}

Error Unsupported(const std::string& file, const std::string& what) {
  return Error(ErrorCode::kInvalidArgument, "'" + file + "': " + what);
}

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

Result<std::vector<std::string>> ListGguf(const std::string& folder) {
  DIR* directory = ::opendir(folder.c_str());
  if (directory == nullptr) return ErrnoError("cannot list '" + folder + "'", errno);
  std::vector<std::string> paths;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name.ends_with(".gguf")) paths.push_back(folder + "/" + std::string(name));
  }
  ::closedir(directory);
  return paths;
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

Result<void> Checkpoint::OpenFolder(const std::string& path) {
  folder_ = path;
  const std::string config = TRY(ReadOptional(path + "/config.json"));
  const std::string generation = TRY(ReadOptional(path + "/generation_config.json"));
  config_ = TRY(internal::ReadHuggingFaceConfig(config, generation)
                    .WithContext("'" + path + "/config.json'"));
  const std::vector<SafetensorsFile> files = TRY(OpenSafetensorsFolder(path));
  for (const SafetensorsFile& file : files) {
    for (const SafetensorsTensor& tensor : file.tensors()) {
      if (IsIgnored(tensor.name)) continue;
      const std::string name = InternalName(kHuggingFace, tensor.name, config_.n_layers);
      if (name.empty()) {
        return Unsupported(file.path(), "tensor '" + tensor.name + "' has no place in a " +
                                            std::string(ArchitectureName(config_.architecture)) +
                                            " model of " + std::to_string(config_.n_layers) +
                                            " layers");
      }
      // Some exports write the tied matrix a second time.
      if (name == "lm_head" && config_.tie_word_embeddings) continue;
      const std::optional<DType> dtype = FindDType(tensor.dtype);
      if (!dtype) {
        return Unsupported(file.path(), "tensor '" + tensor.name + "' is " + tensor.dtype +
                                            "; supported are " + DTypeList());
      }
      entries_[name] = {tensor.name,  file.path(),    *dtype, tensor.shape,
                        tensor.bytes, file.mapping(), 0};
    }
  }
  return {};
}

Result<void> Checkpoint::OpenGguf(const std::string& path) {
  const size_t slash = path.rfind('/');
  folder_ = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  GgufFile file = TRY(GgufFile::Open(path));
  gguf_ = std::make_shared<const GgufFile>(std::move(file));
  config_ = TRY(internal::ReadGgufConfig(*gguf_).WithContext("'" + path + "'"));
  for (const GgufTensor& tensor : gguf_->tensors()) {
    if (IsIgnored(tensor.name)) continue;
    const std::string name = InternalName(kGguf, tensor.name, config_.n_layers);
    if (name.empty()) {
      return Unsupported(path, "tensor '" + tensor.name + "' has no place in a llama model of " +
                                   std::to_string(config_.n_layers) + " layers");
    }
    const std::optional<DType> dtype = FindDType(GgufTypeName(tensor.type));
    if (!dtype) {
      return Unsupported(path, "tensor '" + tensor.name + "' is " + GgufTypeName(tensor.type) +
                                   "; supported are " + DTypeList());
    }
    Entry entry{
        tensor.name,      path, *dtype, {tensor.dims.rbegin(), tensor.dims.rend()}, tensor.bytes,
        gguf_->mapping(), 0};
    // GGUF's llama stores the rows of q and k with adjacent rotary pairs.
    if (name.ends_with(".attn_q")) entry.interleaved_heads = config_.n_heads;
    if (name.ends_with(".attn_k")) entry.interleaved_heads = config_.n_kv_heads;
    entries_[name] = std::move(entry);
  }
  return {};
}

std::vector<std::string_view> Checkpoint::Names() const {
  std::vector<std::string_view> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

Result<Tensor> Checkpoint::Load(std::string_view name, std::span<const int64_t> shape) const {
  const auto it = entries_.find(name);
  if (it == entries_.end()) {
    const Scheme& scheme = gguf_ ? kGguf : kHuggingFace;
    return Error(ErrorCode::kNotFound, "'" + (gguf_ ? gguf_->path() : folder_) +
                                           "' has no tensor '" + SourceName(scheme, name) +
                                           "', expected with shape " + ShapeString(shape));
  }
  const Entry& entry = it->second;
  if (!std::equal(shape.begin(), shape.end(), entry.shape.begin(), entry.shape.end())) {
    return Error(ErrorCode::kCorrupt, "'" + entry.file + "': tensor '" + entry.source_name +
                                          "' has shape " + ShapeString(entry.shape) +
                                          ", expected " + ShapeString(shape));
  }
  if (entry.interleaved_heads > 0 && shape[0] % (2 * entry.interleaved_heads) != 0) {
    return Error(ErrorCode::kCorrupt, "'" + entry.file + "': tensor '" + entry.source_name +
                                          "' does not consist of rotary pairs");
  }
  Tensor tensor{entry.dtype, entry.shape, entry.bytes, entry.mapping};
  const bool aligned =
      reinterpret_cast<uintptr_t>(entry.bytes.data()) % DTypeAlignment(entry.dtype) == 0;
  if (aligned && entry.interleaved_heads == 0) return tensor;
  auto copy = std::make_shared<std::vector<uint8_t>>(
      entry.interleaved_heads > 0 ? SplitPairs(entry.bytes, entry.interleaved_heads, shape[0])
                                  : std::vector(entry.bytes.begin(), entry.bytes.end()));
  tensor.bytes = *copy;
  tensor.owner = std::move(copy);
  return tensor;
}

CheckpointSupport SupportedCheckpoints() {
  CheckpointSupport support;
  support.huggingface = internal::HuggingFaceTypes();
  support.gguf = internal::GgufArchitectures();
  for (const DType dtype : kDTypes) support.tensor_types.push_back(DTypeName(dtype));
  return support;
}

}  // namespace skerry::engine
