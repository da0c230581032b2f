#include "bundler/inspect/fit.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"

namespace skerry::inspect {

namespace {

constexpr size_t kMaxProfileBytes = 1 << 20;
constexpr uint64_t kDiskBlockBytes = 4096;
constexpr uint64_t kImportOverheadBytes = 1 << 20;       // directories, proof, import.json
constexpr uint64_t kProcessBytes = uint64_t{512} << 20;  // buffers, tokenizer, the program itself
// Longer contexts are possible and rarely what a machine is bought for; the engine takes fewer
// tokens where memory is short.
constexpr uint64_t kEstimatedContext = 8192;

Result<std::vector<std::string>> GetTexts(const Json& object, const std::string& key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end() || !found->is_array()) {
    return Error(ErrorCode::kInvalidArgument, "field '" + key + "' must be an array of strings");
  }
  std::vector<std::string> texts;
  for (const Json& item : *found) {
    if (!item.is_string()) {
      return Error(ErrorCode::kInvalidArgument, "field '" + key + "' must hold strings");
    }
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

Result<const Json*> GetObject(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end() || !found->is_object()) {
    return Error(ErrorCode::kInvalidArgument, "field '" + std::string(key) + "' must be an object");
  }
  return &*found;
}

Result<uint64_t> GetBytes(const Json& object, const char* key) {
  const int64_t value = TRY(GetInt(object, key));
  if (value < 0) {
    return Error(ErrorCode::kInvalidArgument, "field '" + std::string(key) + "' is negative");
  }
  return static_cast<uint64_t>(value);
}

Result<std::map<std::string, std::vector<std::string>>> GetTable(const Json& object,
                                                                 const char* key) {
  const Json* table = TRY(GetObject(object, key));
  std::map<std::string, std::vector<std::string>> result;
  for (const auto& item : table->items()) {
    result[item.key()] = TRY(GetTexts(*table, item.key()));
  }
  return result;
}

Result<void> CheckFormat(const Json& json) {
  const int64_t format = TRY(GetInt(json, "format"));
  if (format == 1) return {};
  return Error(ErrorCode::kInvalidArgument,
               "field 'format' is " + std::to_string(format) + "; this version understands 1");
}

Result<EngineSupport> SupportFromJson(const Json& json) {
  TRY(CheckFormat(json));
  EngineSupport support;
  support.version = TRY(GetString(json, "version"));
  support.architectures = TRY(GetTable(json, "architectures"));
  support.tokenizers = TRY(GetTable(json, "tokenizers"));
  support.tensor_types = TRY(GetTexts(json, "tensor_types"));
  support.split_gguf = TRY(GetBool(json, "split_gguf"));
  support.kv_bytes_per_element = TRY(GetBytes(json, "kv_bytes_per_element"));
  return support;
}

bool Contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

std::string Listed(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& item : list) text += (text.empty() ? "" : ", ") + item;
  return text.empty() ? "none" : text;
}

std::vector<std::string> Entry(const std::map<std::string, std::vector<std::string>>& table,
                               ModelFormat format) {
  const auto found = table.find(std::string(ModelFormatName(format)));
  return found == table.end() ? std::vector<std::string>() : found->second;
}

std::string Bytes(uint64_t bytes) { return std::to_string(bytes) + " bytes"; }

}  // namespace

Result<EngineSupport> ParseEngineSupport(std::string_view text) {
  const JsonLimits limits{.max_bytes = kMaxProfileBytes};
  const Json json = TRY(ParseJson(text, limits));
  return SupportFromJson(json);
}

std::vector<std::string> WhyNotLoadable(const ModelFacts& facts, const EngineSupport& engine) {
  std::vector<std::string> reasons;
  const std::string form(ModelFormatName(facts.format));
  const std::vector<std::string> architectures = Entry(engine.architectures, facts.format);
  if (architectures.empty()) {
    reasons.push_back("models in the form '" + form + "' are not loaded");
  } else if (!facts.architecture.empty() && !Contains(architectures, facts.architecture)) {
    reasons.push_back("architecture '" + facts.architecture + "' is not supported in the form '" +
                      form + "'; these are: " + Listed(architectures));
  }
  std::vector<std::string> types;
  for (const auto& [type, count] : facts.elements) {
    if (!Contains(engine.tensor_types, type)) types.push_back(type);
  }
  if (!types.empty()) {
    reasons.push_back("tensors of type " + Listed(types) +
                      " are not supported; these are: " + Listed(engine.tensor_types));
  }
  const std::vector<std::string> tokenizers = Entry(engine.tokenizers, facts.format);
  if (!architectures.empty() && !Contains(tokenizers, facts.tokenizer)) {
    reasons.push_back("tokenizer '" + facts.tokenizer +
                      "' is not supported; these are: " + Listed(tokenizers));
  }
  if (facts.split_gguf && !engine.split_gguf) {
    reasons.push_back("a GGUF in several parts is not loaded; join them with gguf-split first");
  }
  return reasons;
}

Result<BoxProfile> ParseBoxProfile(std::string_view text) {
  const JsonLimits limits{.max_bytes = kMaxProfileBytes};
  const Json json = TRY(ParseJson(text, limits));
  TRY(CheckFormat(json));
  BoxProfile box;
  box.memory_bytes = TRY(GetBytes(json, "memory_bytes"));
  box.store_free_bytes = TRY(GetBytes(json, "store_free_bytes"));
  box.reserved_bytes = TRY(GetBytes(json, "reserved_bytes"));
  const auto gpus = json.find("gpus");
  if (gpus == json.end() || !gpus->is_array()) {
    return Error(ErrorCode::kInvalidArgument, "field 'gpus' must be an array");
  }
  for (const Json& gpu : *gpus) {
    const uint64_t bytes = TRY(GetBytes(gpu, "memory_bytes").WithContext("gpus"));
    box.gpu_memory_bytes.push_back(bytes);
  }
  const Json* engine = TRY(GetObject(json, "engine"));
  box.engine = TRY(SupportFromJson(*engine).WithContext("engine"));
  return box;
}

uint64_t ImportBytes(const format::Manifest& manifest) {
  auto on_disk = [](uint64_t size) { return (size / kDiskBlockBytes + 1) * kDiskBlockBytes; };
  uint64_t total = kImportOverheadBytes;
  for (const format::FileEntry& entry : manifest.files) total += on_disk(entry.size);
  for (const format::FileEntry& entry : manifest.documents) total += on_disk(entry.size);
  return total;
}

Fit CheckFit(const ModelFacts& facts, uint64_t import_bytes, const BoxProfile& box) {
  Fit fit;
  fit.import_bytes = import_bytes;
  fit.weight_bytes = facts.weight_bytes;
  fit.context_tokens = facts.context_tokens == 0
                           ? kEstimatedContext
                           : std::min(facts.context_tokens, kEstimatedContext);
  fit.kv_bytes = facts.KvBytesPerToken(box.engine.kv_bytes_per_element) * fit.context_tokens;
  fit.memory_bytes = fit.weight_bytes + fit.kv_bytes + kProcessBytes;
  const uint64_t usable = box.store_free_bytes - std::min(box.store_free_bytes, box.reserved_bytes);
  if (fit.import_bytes > usable) {
    fit.problems.push_back("the store: importing needs " + Bytes(fit.import_bytes) + ", " +
                           Bytes(box.store_free_bytes) + " are free and " +
                           Bytes(box.reserved_bytes) + " of them reserved");
  }
  uint64_t gpu_bytes = 0;
  for (const uint64_t bytes : box.gpu_memory_bytes) gpu_bytes += bytes;
  const uint64_t memory = std::max(box.memory_bytes, gpu_bytes);
  if (fit.memory_bytes > memory) {
    fit.problems.push_back("memory: weights need " + Bytes(fit.weight_bytes) +
                           ", keys and values " + Bytes(fit.kv_bytes) + " for " +
                           std::to_string(fit.context_tokens) + " tokens, the process about " +
                           Bytes(kProcessBytes) + "; the machine has " + Bytes(memory));
  }
  for (std::string& reason : WhyNotLoadable(facts, box.engine)) {
    fit.problems.push_back("its engine " + box.engine.version + ": " + std::move(reason));
  }
  return fit;
}

}  // namespace skerry::inspect
