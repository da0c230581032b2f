#include "bundler/inspect/model.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "appliance/base/encode.h"
#include "bundler/format/names.h"
#include "bundler/inspect/content.h"
#include "bundler/inspect/gguf.h"
#include "bundler/inspect/internal/json_file.h"
#include "bundler/inspect/safetensors.h"

namespace skerry::inspect {

namespace {

constexpr size_t kMaxIndexBytes = 32 << 20;
constexpr std::string_view kTokenizerNames[] = {"tokenizer.json", "tokenizer.model", "tekken.json",
                                                "vocab.json", "vocab.txt"};

using format::Quote;
using internal::kMaxConfigBytes;
using internal::ReadJsonFile;

Error NoModel(std::string message) { return Error(ErrorCode::kNotFound, std::move(message)); }

bool Has(const ModelFiles& files, std::string_view name) {
  return std::find(files.names.begin(), files.names.end(), name) != files.names.end();
}

bool IsTop(std::string_view name) { return name.find('/') == std::string_view::npos; }

size_t CountTop(const ModelFiles& files, std::string_view prefix, std::string_view suffix) {
  return static_cast<size_t>(
      std::count_if(files.names.begin(), files.names.end(), [&](const std::string& name) {
        return IsTop(name) && name.starts_with(prefix) && name.ends_with(suffix);
      }));
}

bool HasTokenizer(const ModelFiles& files) {
  // Mistral also publishes versions by suffix: tokenizer.model.v3.
  return std::any_of(std::begin(kTokenizerNames), std::end(kTokenizerNames),
                     [&](std::string_view name) { return Has(files, name); }) ||
         CountTop(files, "tokenizer.model.", "") > 0;
}

// Transformers runs Python code that 'auto_map' or 'custom_pipelines' names, so a model with it
// depends on code.
bool NamesCode(const Json& json) {
  if (json.is_object()) {
    for (const auto& item : json.items()) {
      const bool trusts = item.key() == "trust_remote_code" && item.value() == true;
      if (item.key() == "auto_map" || item.key() == "custom_pipelines" || trusts) return true;
      if (NamesCode(item.value())) return true;
    }
  } else if (json.is_array()) {
    return std::any_of(json.begin(), json.end(), NamesCode);
  }
  return false;
}

Result<void> CheckConfig(const ModelFiles& files, const std::string& name) {
  const Json json = TRY(ReadJsonFile(files, name, kMaxConfigBytes));
  if (NamesCode(json)) {
    return Error(ErrorCode::kUntrusted,
                 "file " + Quote(name) +
                     " is refused: it has 'auto_map', 'custom_pipelines' or 'trust_remote_code', "
                     "so the model needs Python code of its own; "
                     "models that do are not supported");
  }
  return {};
}

Result<void> CheckFile(const ModelFiles& files, const std::string& name) {
  const std::unique_ptr<File> file = TRY(files.open(name));
  TRY(CheckContent(name, *file));
  if (name.ends_with(".safetensors")) {
    return CheckSafetensors(*file).WithContext("file " + Quote(name));
  }
  if (name.ends_with(".gguf")) {
    TRY(CheckGguf(*file).WithContext("file " + Quote(name)));
  }
  const std::string base = name.substr(name.rfind('/') + 1);
  if (base.ends_with("config.json") || base == "params.json") return CheckConfig(files, name);
  return {};
}

// Every shard that the index names is there.
Result<void> CheckIndex(const ModelFiles& files, const std::string& name) {
  const Json json = TRY(ReadJsonFile(files, name, kMaxIndexBytes));
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (!json.is_object() || map == json.end() || !map->is_object()) {
    return Error(ErrorCode::kCorrupt, "file " + Quote(name) + " has no 'weight_map'");
  }
  std::set<std::string> shards;
  for (const auto& item : map->items()) {
    if (!item.value().is_string()) {
      return Error(ErrorCode::kCorrupt, "file " + Quote(name) + ": 'weight_map' must hold names");
    }
    shards.insert(item.value().get<std::string>());
  }
  for (const std::string& shard : shards) {
    if (!Has(files, shard)) {
      return NoModel("weights are missing: file " + Quote(name) + " names " + Quote(shard) +
                     "; is the download complete?");
    }
  }
  return {};
}

Result<void> CheckHuggingFace(const ModelFiles& files) {
  const Json config = TRY(ReadJsonFile(files, "config.json", kMaxConfigBytes));
  if (!config.is_object() ||
      (!config.contains("model_type") && !config.contains("architectures"))) {
    return NoModel(
        "file 'config.json' names neither 'model_type' nor 'architectures': it does not "
        "describe a model");
  }
  for (const std::string& name : files.names) {
    if (IsTop(name) && name.ends_with(".safetensors.index.json")) TRY(CheckIndex(files, name));
  }
  return {};
}

// One part of a split model, by its name: "PREFIX-00001-of-00003.gguf".
struct PartName {
  std::string prefix;  // with the last '-' before the number
  uint64_t number = 0;
  uint64_t count = 0;

  std::string Of(uint64_t part) const {
    const auto five = [](uint64_t value) {
      const std::string digits = std::to_string(value);
      return std::string(5 - digits.size(), '0') + digits;
    };
    return prefix + five(part) + "-of-" + five(count) + ".gguf";
  }
};

std::optional<PartName> ParsePartName(std::string_view name) {
  constexpr std::string_view kPattern = "-#####-of-#####.gguf";
  if (name.size() < kPattern.size()) return std::nullopt;
  const size_t at = name.size() - kPattern.size();
  const std::string_view tail = name.substr(at);
  for (size_t i = 0; i < kPattern.size(); ++i) {
    const bool digit = tail[i] >= '0' && tail[i] <= '9';
    if (kPattern[i] == '#' ? !digit : tail[i] != kPattern[i]) return std::nullopt;
  }
  return PartName{std::string(name.substr(0, at + 1)), std::stoull(std::string(tail.substr(1, 5))),
                  std::stoull(std::string(tail.substr(10, 5)))};
}

// llama.cpp, tools/gguf-split: each part says which it is, counting from 0, and of how many.
Result<GgufSummary> CheckGgufPart(const ModelFiles& files, const PartName& part) {
  const std::string name = part.Of(part.number);
  const std::unique_ptr<File> file = TRY(files.open(name));
  GgufSummary summary = TRY(CheckGguf(*file).WithContext("file " + Quote(name)));
  const auto number = summary.numbers.find("split.no"), count = summary.numbers.find("split.count");
  if (number == summary.numbers.end() || count == summary.numbers.end()) {
    return Error(ErrorCode::kCorrupt, "file " + Quote(name) +
                                          " does not say which part of a model it is (numbers "
                                          "'split.no' and 'split.count')");
  }
  if (number->second != part.number - 1 || count->second != part.count) {
    return Error(ErrorCode::kCorrupt, "file " + Quote(name) + " says of itself that it is part " +
                                          std::to_string(number->second + 1) + " of " +
                                          std::to_string(count->second) +
                                          ": it was renamed or mixed up");
  }
  return summary;
}

// All parts of the model of which `part` is one are there and belong together.
Result<void> CheckGgufSplit(const ModelFiles& files, PartName part) {
  for (uint64_t number = 1; number <= part.count; ++number) {
    if (Has(files, part.Of(number))) continue;
    return NoModel("part " + Quote(part.Of(number)) + " of the model is missing");
  }
  uint64_t tensors = 0;
  std::optional<uint64_t> claimed;
  for (part.number = 1; part.number <= part.count; ++part.number) {
    const GgufSummary summary = TRY(CheckGgufPart(files, part));
    const auto total = summary.numbers.find("split.tensors.count");
    claimed = total == summary.numbers.end() ? std::nullopt : std::optional(total->second);
    tensors += summary.tensors;
  }
  if (claimed == tensors) return {};
  return Error(ErrorCode::kCorrupt, "file " + Quote(part.Of(part.count)) +
                                        ": 'split.tensors.count' is " +
                                        (claimed ? std::to_string(*claimed) : "missing") +
                                        ", the model's parts have " + std::to_string(tensors));
}

Result<void> CheckGgufParts(const ModelFiles& files) {
  for (const std::string& name : files.names) {
    const std::optional<PartName> part = IsTop(name) ? ParsePartName(name) : std::nullopt;
    if (!part) continue;
    if (part->number < 1 || part->number > part->count) {
      return NoModel("file " + Quote(name) + " is named as a part that cannot be");
    }
    // The other parts are looked at with the first one.
    if (part->number > 1 && Has(files, part->Of(1))) continue;
    TRY(CheckGgufSplit(files, *part));
  }
  return {};
}

Result<ModelFormat> Recognise(const ModelFiles& files) {
  const bool safetensors = CountTop(files, "", ".safetensors") > 0;
  const bool mistral =
      Has(files, "params.json") && CountTop(files, "consolidated", ".safetensors") > 0;
  const bool hugging_face = Has(files, "config.json") && safetensors;
  if (hugging_face || mistral) {
    if (!HasTokenizer(files)) {
      return NoModel(
          "there is no tokenizer (tokenizer.json, tokenizer.model or tekken.json) beside "
          "the weights");
    }
    return hugging_face ? ModelFormat::kHuggingFace : ModelFormat::kMistral;
  }
  if (CountTop(files, "", ".gguf") > 0) return ModelFormat::kGguf;
  if (safetensors) {
    return NoModel("there are weights (*.safetensors) but neither 'config.json' nor 'params.json'");
  }
  if (Has(files, "config.json") || Has(files, "params.json")) {
    return NoModel("there is a configuration but no weights: *.safetensors or *.gguf is wanted");
  }
  return NoModel(
      "this is not a model: a folder with config.json and *.safetensors, with params.json "
      "and consolidated*.safetensors, or a *.gguf file is wanted");
}

}  // namespace

std::string_view ModelFormatName(ModelFormat format) {
  switch (format) {
    case ModelFormat::kHuggingFace:
      return "huggingface";
    case ModelFormat::kMistral:
      return "mistral";
    case ModelFormat::kGguf:
      return "gguf";
  }
  return "?";
}

Result<ModelFormat> InspectModel(const ModelFiles& files) {
  // What must not travel comes first: its message matters more than a missing file.
  for (const std::string& name : files.names) TRY(CheckFile(files, name));
  const ModelFormat format = TRY(Recognise(files));
  if (format == ModelFormat::kHuggingFace) TRY(CheckHuggingFace(files));
  if (format == ModelFormat::kGguf) TRY(CheckGgufParts(files));
  return format;
}

ModelFiles FilesOf(const format::Manifest& manifest, OpenByIndex open) {
  ModelFiles files;
  for (const format::FileEntry& entry : manifest.files) files.names.push_back(entry.name);
  files.open = [names = files.names, open = std::move(open)](const std::string& name) {
    // The manifest's names are sorted.
    const auto found = std::lower_bound(names.begin(), names.end(), name);
    return open(static_cast<size_t>(found - names.begin()));
  };
  return files;
}

Result<ModelFormat> InspectFiles(const format::Manifest& manifest, OpenByIndex open) {
  if (manifest.kind != format::Kind::kModel) {
    return Error(ErrorCode::kUntrusted, "the bundle is of kind '" +
                                            std::string(format::KindName(manifest.kind)) +
                                            "'; only models can be imported");
  }
  return InspectModel(FilesOf(manifest, std::move(open)));
}

}  // namespace skerry::inspect
