#include "bundler/inspect/facts.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "bundler/format/names.h"
#include "bundler/inspect/gguf.h"

namespace skerry::inspect {

namespace {

constexpr size_t kMaxConfigBytes = 16 << 20;
constexpr uint64_t kMaxGeometry = 1 << 30;  // keeps products of the numbers below from overflowing

constexpr std::string_view kTokenizers[] = {"tokenizer.model", "tekken.json", "tokenizer.json",
                                            "vocab.json", "vocab.txt"};

// The first of `keys` that is a sensible number; 0: none.
uint64_t NumberOf(const Json& config, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto found = config.find(key);
    if (found != config.end() && found->is_number_unsigned() &&
        found->get<uint64_t>() < kMaxGeometry) {
      return found->get<uint64_t>();
    }
  }
  return 0;
}

std::string TextOf(const Json& config, const char* key) {
  const auto found = config.find(key);
  return found != config.end() && found->is_string() ? Printable(found->get<std::string>()) : "";
}

// Names of transformers' configurations, or (params.json) of mistral-inference,
// src/mistral_inference /args.py.
void ReadGeometry(const Json& whole, ModelFacts& facts) {
  // Models of several modalities keep the language model's numbers in 'text_config'.
  const auto text = whole.find("text_config");
  const Json& config = text != whole.end() && text->is_object() ? *text : whole;
  facts.layers = NumberOf(config, {"num_hidden_layers", "n_layers"});
  const uint64_t heads = NumberOf(config, {"num_attention_heads", "n_heads"});
  facts.kv_heads = NumberOf(config, {"num_key_value_heads", "n_kv_heads"});
  if (facts.kv_heads == 0) facts.kv_heads = heads;
  facts.head_dim = NumberOf(config, {"head_dim"});
  if (facts.head_dim == 0 && heads > 0) {
    facts.head_dim = NumberOf(config, {"hidden_size", "dim"}) / heads;
  }
  facts.context_tokens = NumberOf(config, {"max_position_embeddings", "max_seq_len"});
}

Result<void> ReadConfig(const ModelFiles& files, const std::string& name, ModelFacts& facts) {
  const std::unique_ptr<File> file = TRY(files.open(name));
  const std::string text = TRY(ReadAll(*file, kMaxConfigBytes));
  const JsonLimits limits{.max_bytes = kMaxConfigBytes};
  const Json config = TRY(ParseJson(text, limits).WithContext("file " + format::Quote(name)));
  if (!config.is_object()) return {};
  facts.architecture = TextOf(config, "model_type");
  ReadGeometry(config, facts);
  return {};
}

void TakeGguf(const GgufSummary& summary, ModelFacts& facts) {
  auto text = [&](const char* key) {
    const auto found = summary.strings.find(key);
    return found == summary.strings.end() ? "" : Printable(found->second);
  };
  auto number = [&](const char* key) {
    const auto found = summary.numbers.find(key);
    return found == summary.numbers.end() || found->second >= kMaxGeometry ? 0 : found->second;
  };
  if (number("split.count") > 1) facts.split_gguf = true;
  if (summary.architecture.empty() || !facts.architecture.empty()) return;  // a later part
  facts.architecture = Printable(summary.architecture);
  facts.tokenizer = text("tokenizer.ggml.model");
  facts.name = text("general.name");
  facts.license = text("general.license");
  facts.layers = number("block_count");
  const uint64_t heads = number("attention.head_count");
  facts.kv_heads = number("attention.head_count_kv");
  if (facts.kv_heads == 0) facts.kv_heads = heads;
  facts.head_dim = number("attention.key_length");
  if (facts.head_dim == 0 && heads > 0) facts.head_dim = number("embedding_length") / heads;
  facts.context_tokens = number("context_length");
}

Result<void> ReadWeights(const ModelFiles& files, const std::string& name, ModelFacts& facts) {
  const bool safetensors = name.ends_with(".safetensors");
  if (!safetensors && !name.ends_with(".gguf")) return {};
  const std::unique_ptr<File> file = TRY(files.open(name));
  const uint64_t size_bytes = TRY(file->Size());
  facts.weight_bytes += size_bytes;
  if (safetensors) {
    return CheckSafetensors(*file, &facts.elements).WithContext("file " + format::Quote(name));
  }
  const GgufSummary summary = TRY(CheckGguf(*file).WithContext("file " + format::Quote(name)));
  for (const auto& [type, count] : summary.elements) facts.elements[type] += count;
  if (facts.format == ModelFormat::kGguf) TakeGguf(summary, facts);
  return {};
}

}  // namespace

uint64_t ModelFacts::TotalElements() const {
  uint64_t total = 0;
  for (const auto& [type, count] : elements) total += count;
  return total;
}

uint64_t ModelFacts::KvBytesPerToken(uint64_t element_bytes) const {
  uint64_t bytes = 2 * element_bytes;  // keys and values
  for (const uint64_t factor : {layers, kv_heads, head_dim}) {
    if (__builtin_mul_overflow(bytes, factor, &bytes)) return 0;
  }
  return bytes;
}

std::string Printable(std::string_view text, size_t max_bytes) {
  std::string out(text.substr(0, max_bytes));
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return out;
}

Result<ModelFacts> ReadFacts(const ModelFiles& files, ModelFormat format) {
  ModelFacts facts;
  facts.format = format;
  auto has = [&](std::string_view name) {
    return std::find(files.names.begin(), files.names.end(), name) != files.names.end();
  };
  if (format == ModelFormat::kHuggingFace) TRY(ReadConfig(files, "config.json", facts));
  if (format == ModelFormat::kMistral) TRY(ReadConfig(files, "params.json", facts));
  if (format != ModelFormat::kGguf) {
    for (const std::string_view name : kTokenizers) {
      if (facts.tokenizer.empty() && has(name)) facts.tokenizer = name;
    }
    for (const std::string& name : files.names) {
      if (facts.tokenizer.empty() && name.starts_with("tokenizer.model.v")) {
        facts.tokenizer = "tokenizer.model";
      }
    }
  }
  for (const std::string& name : files.names) TRY(ReadWeights(files, name, facts));
  return facts;
}

}  // namespace skerry::inspect
