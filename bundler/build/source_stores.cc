#include "bundler/build/source_stores.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "bundler/format/layout.h"
#include "bundler/format/names.h"

namespace skerry::build {

namespace {

using format::Quote;

constexpr size_t kMaxManifestBytes = 1 << 20;
constexpr size_t kMaxPartBytes = 80;  // types/model/name.go: namespace, model and tag

// types/model/name.go of github.com/ollama/ollama: the characters of a part of a name.
bool IsNamePart(const std::string& text) {
  auto ok = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  return !text.empty() && text.size() <= kMaxPartBytes && text[0] != '.' && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), ok);
}

std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t at = 0; at <= text.size(); ++at) {
    if (at < text.size() && text[at] != '/') continue;
    parts.push_back(text.substr(begin, at - begin));
    begin = at + 1;
  }
  return parts;
}

struct Layer {
  std::string type;  // after "application/vnd.ollama.image."
  Sha256Digest digest;
};

Result<std::vector<Layer>> ParseLayers(const std::string& text) {
  constexpr std::string_view kPrefix = "application/vnd.ollama.image.";
  const JsonLimits limits{.max_bytes = kMaxManifestBytes};
  const Json json = TRY(ParseJson(text, limits));
  const auto array = json.is_object() ? json.find("layers") : json.end();
  if (!json.is_object() || array == json.end() || !array->is_array()) {
    return Error(ErrorCode::kCorrupt, "it has no 'layers'");
  }
  std::vector<Layer> layers;
  for (const Json& item : *array) {
    std::string type = TRY(GetString(item, "mediaType"));
    const std::string digest = TRY(GetString(item, "digest"));
    // manifest/paths.go: "sha256:" in manifests, "sha256-" in names of files.
    if (!digest.starts_with("sha256:") && !digest.starts_with("sha256-")) {
      return Error(ErrorCode::kCorrupt, "digest " + Quote(digest) + " is not a SHA-256");
    }
    if (type.starts_with(kPrefix)) type.erase(0, kPrefix.size());
    Layer layer;
    layer.type = std::move(type);
    layer.digest = TRY(Sha256Digest::FromHex(digest.substr(7)));
    layers.push_back(std::move(layer));
  }
  return layers;
}

Error Refused(const std::string& what) {
  return Error(ErrorCode::kUntrusted, "the model cannot be packed: " + what);
}

// Why a model with a layer of this type cannot travel; empty: it can.
std::string WhyNot(const std::string& type) {
  if (type == "adapter") {
    return "it has an adapter (LoRA), which the engine cannot apply; merge it into the weights";
  }
  if (type == "projector") return "it has a projector for images, which the engine has no use for";
  if (type == "draft") return "it has a draft model, which the engine has no use for";
  if (type == "tensor" || type == "json") {
    return "its weights are single tensors, not GGUF; pack the publisher's safetensors instead";
  }
  return "";
}

// Name of the document that a layer becomes; empty: it is left out.
std::string DocumentOf(const std::string& type) {
  if (type == "license") return "LICENSE";
  if (type == "template" || type == "prompt") return "ollama-template.txt";
  if (type == "system") return "ollama-system.txt";
  if (type == "params") return "ollama-params.json";
  if (type == "messages") return "ollama-messages.json";
  return "";
}

// LICENSE, LICENSE-2, ...
std::string Unused(const std::string& name, const std::vector<SourceFile>& documents) {
  for (int number = 1;; ++number) {
    const size_t dot = std::min(name.size(), name.rfind('.'));
    const std::string candidate =
        number == 1 ? name : name.substr(0, dot) + "-" + std::to_string(number) + name.substr(dot);
    if (std::none_of(documents.begin(), documents.end(),
                     [&](const SourceFile& file) { return file.name == candidate; })) {
      return candidate;
    }
  }
}

Result<Source> SourceOfLayers(FileSystem& files, const std::vector<Layer>& layers,
                              const std::string& blobs, const OllamaName& name) {
  Source source;
  const auto models = std::count_if(layers.begin(), layers.end(),
                                    [](const Layer& layer) { return layer.type == "model"; });
  if (models > 1) return Refused("it has several files of weights, which cannot be told apart");
  for (const Layer& layer : layers) {
    const std::string why_not = WhyNot(layer.type);
    if (!why_not.empty()) return Refused(why_not);
    SourceFile file{"", blobs + "/sha256-" + layer.digest.Hex(), layer.digest};
    if (layer.type == "model") {
      file.name = name.model + "-" + name.tag + ".gguf";
      TRY(format::CheckFileName(file.name));
      source.files.push_back(std::move(file));
    } else if (const std::string document = DocumentOf(layer.type); !document.empty()) {
      file.name = Unused(document, source.documents);
      source.documents.push_back(std::move(file));
    } else {
      source.left_out.push_back(Quote(layer.type));
      continue;
    }
  }
  if (source.files.empty()) {
    return Refused("it has no GGUF weights; models that run in Ollama's cloud have none");
  }
  for (const std::vector<SourceFile>* list : {&source.files, &source.documents}) {
    for (const SourceFile& file : *list) {
      const Result<FileKind> kind = files.Stat(file.path);
      if (!kind || *kind != FileKind::kFile) {
        return Error(ErrorCode::kNotFound, "'/" + file.path +
                                               "' is missing or not a regular file; download the "
                                               "model again with 'ollama pull'");
      }
    }
  }
  std::sort(source.documents.begin(), source.documents.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.name < b.name; });
  return source;
}

// The first of `candidates` that has `below`.
Result<std::string> FindStore(FileSystem& files, const std::vector<std::string>& candidates,
                              const std::string& below, const std::string& what) {
  std::string looked;
  for (const std::string& candidate : candidates) {
    looked += (looked.empty() ? "'" : ", '") + candidate + "'";
    const Result<std::string> store = ResolveSource(candidate);
    const Result<FileKind> found =
        store ? files.Stat(*store + "/" + below) : Result<FileKind>(store.error());
    if (found) return *store;
    if (found.error().code() == ErrorCode::kDenied) return found.error();
  }
  return Error(ErrorCode::kNotFound,
               what + " is not in " + looked + "; --store names another place");
}

}  // namespace

Result<OllamaName> OllamaName::Parse(const std::string& text) {
  OllamaName name;
  std::vector<std::string> parts = Split(text);
  const size_t colon = parts.back().find(':');
  if (colon != std::string::npos) {
    name.tag = parts.back().substr(colon + 1);
    parts.back().resize(colon);
  }
  name.model = parts.back();
  if (parts.size() > 1) name.name_space = parts[parts.size() - 2];
  if (parts.size() > 2) name.host = parts[parts.size() - 3];
  if (parts.size() > 3 || !IsNamePart(name.model) || !IsNamePart(name.tag) ||
      !IsNamePart(name.name_space) || !IsNamePart(name.host)) {
    return Error(ErrorCode::kInvalidArgument,
                 Quote(text) + " is not a name of Ollama's: [[HOST/]NAMESPACE/]MODEL[:TAG]");
  }
  return name;
}

// Layout: manifest/paths.go, manifest/manifest.go and envconfig/config.go of
// github.com/ollama/ollama; the service that its script installs (scripts/install.sh) runs with
// home /usr/share/ollama. Types of layers: server/images.go and server/create.go.
Result<Source> ListOllama(FileSystem& files, const std::string& text, const StorePlaces& places) {
  const OllamaName name = TRY(OllamaName::Parse(text));
  std::vector<std::string> candidates;
  if (!places.store.empty()) {
    candidates = {places.store};
  } else if (!places.ollama_models.empty()) {
    candidates = {places.ollama_models};
  } else {
    if (!places.home.empty()) candidates.push_back(places.home + "/.ollama/models");
    candidates.emplace_back("/usr/share/ollama/.ollama/models");
  }
  const std::string below = "manifests/" + name.Path();
  const std::string store =
      TRY(FindStore(files, candidates, below, "Ollama's model " + Quote(text)));
  const std::string manifest = TRY(ReadAll(files, store + "/" + below, kMaxManifestBytes));
  const std::string context = "Ollama's manifest of " + Quote(text);
  const std::vector<Layer> layers = TRY(ParseLayers(manifest).WithContext(context));
  return SourceOfLayers(files, layers, store + "/blobs", name);
}

// Layout: lmstudio.ai/docs/basics/import-model (~/.lmstudio/models/PUBLISHER/MODEL/FILE.gguf);
// before version 0.3.6 the folder was ~/.cache/lm-studio/models.
Result<Source> ListLmStudio(FileSystem& files, const std::string& text, const StorePlaces& places,
                            const SourceOptions& options) {
  const std::vector<std::string> parts = Split(text);
  const bool well_formed = (parts.size() == 2 || parts.size() == 3) &&
                           std::all_of(parts.begin(), parts.end(), [](const std::string& part) {
                             return !part.empty() && part[0] != '.' && format::CheckFileName(part);
                           });
  if (!well_formed) {
    return Error(ErrorCode::kInvalidArgument,
                 Quote(text) + " is not a name of LM Studio's: ORG/NAME or ORG/NAME/FILE.gguf");
  }
  std::vector<std::string> candidates;
  if (!places.store.empty()) {
    candidates = {places.store};
  } else if (!places.home.empty()) {
    candidates = {places.home + "/.lmstudio/models", places.home + "/.cache/lm-studio/models"};
  }
  const std::string store =
      TRY(FindStore(files, candidates, text, "LM Studio's model " + Quote(text)));
  Result<Source> source = ListSource(files, store + "/" + text, options);
  if (!source && source.error().code() == ErrorCode::kInvalidArgument && parts.size() == 2) {
    return Error(ErrorCode::kInvalidArgument,
                 source.error().message() + "; as --from-lmstudio " + text + "/FILE.gguf");
  }
  return source;
}

}  // namespace skerry::build
