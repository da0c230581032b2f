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
  if (name.ends_with("config.json") || name == "params.json") return CheckConfig(files, name);
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

// llama.cpp, tools/gguf-split: each part says which it is, counting from 0, and of how many.
Result<void> CheckGgufPart(const ModelFiles& files, const std::string& name, uint64_t part,
                           uint64_t parts, uint64_t& tensors, uint64_t& claimed) {
  const std::unique_ptr<File> file = TRY(files.open(name));
  const GgufSummary summary = TRY(CheckGguf(*file).WithContext("file " + Quote(name)));
  const auto number = [&](const char* key) {
    const auto found = summary.numbers.find(key);
    return found == summary.numbers.end() ? uint64_t{0} : found->second;
  };
  if (number("split.no") + 1 != part || number("split.count") != parts) {
    return Error(ErrorCode::kCorrupt, "file " + Quote(name) + " says of itself that it is part " +
                                          std::to_string(number("split.no") + 1) + " of " +
                                          std::to_string(number("split.count")) +
                                          ": it was renamed or mixed up");
  }
  tensors += summary.tensors;
  claimed = number("split.tensors.count");
  return {};
}

// "NAME-00001-of-00003.gguf": all three parts are there and belong together.
Result<void> CheckGgufParts(const ModelFiles& files) {
  constexpr std::string_view kPattern = "-00001-of-00001.gguf";
  for (const std::string& name : files.names) {
    if (name.size() <= kPattern.size() || !name.ends_with(".gguf")) continue;
    const size_t at = name.size() - kPattern.size();
    const std::string count = name.substr(at + 10, 5);
    if (name[at] != '-' || name.substr(at + 6, 4) != "-of-" ||
        count.find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    if (name.substr(at + 1, 5) != "00001") {
      const std::string first = name.substr(0, at + 1) + "00001" + name.substr(at + 6);
      if (!Has(files, first)) return NoModel("part " + Quote(first) + " of the model is missing");
      continue;
    }
    const int parts = std::stoi(count);
    const auto part_name = [&](int part) {
      const std::string digits = std::to_string(part);
      return name.substr(0, at + 1) + std::string(5 - digits.size(), '0') + digits +
             name.substr(at + 6);
    };
    for (int part = 1; part <= parts; ++part) {
      if (Has(files, part_name(part))) continue;
      return NoModel("part " + Quote(part_name(part)) + " of the model is missing");
    }
    uint64_t tensors = 0, claimed = 0;
    for (int part = 1; part <= parts; ++part) {
      TRY(CheckGgufPart(files, part_name(part), static_cast<uint64_t>(part),
                        static_cast<uint64_t>(parts), tensors, claimed));
    }
    if (claimed != tensors) {
      return Error(ErrorCode::kCorrupt, "file " + Quote(name) + ": 'split.tensors.count' is " +
                                            std::to_string(claimed) + ", its parts have " +
                                            std::to_string(tensors));
    }
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

Result<ModelFormat> InspectFiles(
    const format::Manifest& manifest,
    const std::function<Result<std::unique_ptr<File>>(size_t file_idx)>& open) {
  if (manifest.kind != format::Kind::kModel) {
    return Error(ErrorCode::kUntrusted, "the bundle is of kind '" +
                                            std::string(format::KindName(manifest.kind)) +
                                            "'; only models can be imported");
  }
  ModelFiles files;
  for (const format::FileEntry& entry : manifest.files) files.names.push_back(entry.name);
  files.open = [&](const std::string& name) -> Result<std::unique_ptr<File>> {
    // The manifest's names are sorted.
    const auto found = std::lower_bound(files.names.begin(), files.names.end(), name);
    return open(static_cast<size_t>(found - files.names.begin()));
  };
  return InspectModel(files);
}

}  // namespace skerry::inspect
