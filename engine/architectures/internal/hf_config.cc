// config.json of Hugging Face transformers, versions 4 and 5.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/architectures/internal/hf_keys.h"
#include "engine/architectures/internal/hf_reader.h"
#include "engine/architectures/internal/readers.h"
#include "engine/architectures/registry.h"

namespace skerry::engine::internal {
namespace {

struct Recognised {
  const Architecture* architecture = nullptr;
  const Wrapper* wrapper = nullptr;  // null: a text model by itself
};

Result<Recognised> Recognise(const Json& config) {
  const std::string type = TRY(GetString(config, "model_type"));
  std::string text_type;
  if (Given(config, "text_config") && config["text_config"].is_object()) {
    text_type = TRY(GetStringOr(config["text_config"], "model_type", ""));
  }
  Recognised found;
  found.architecture = FindByModelType(type, text_type, &found.wrapper);
  if (found.architecture == nullptr) {
    std::string known;
    for (const Architecture* architecture : Architectures()) {
      if (architecture->hugging_face.model_type.empty()) continue;
      known += (known.empty() ? "" : ", ") + std::string(architecture->hugging_face.model_type);
    }
    return Unsupported("model_type '" + type + "' is not supported; these are: " + known);
  }
  const std::string_view class_name = found.wrapper != nullptr
                                          ? found.wrapper->class_name
                                          : found.architecture->hugging_face.class_name;
  if (Given(config, "architectures") && config["architectures"] != Json::array({class_name})) {
    return Unsupported("'architectures' of a " + type + " model is not [\"" +
                       std::string(class_name) + "\"]");
  }
  return found;
}

// The model types that the text of this kind of multimodal model may have.
std::string TextTypes(std::string_view wrapper_type) {
  std::string types;
  for (const Architecture* architecture : Architectures()) {
    const HuggingFaceSide& side = architecture->hugging_face;
    const bool inside = std::ranges::any_of(
        side.wrappers, [&](const Wrapper& wrapper) { return wrapper.model_type == wrapper_type; });
    if (inside) types += (types.empty() ? "" : ", ") + std::string(side.model_type);
  }
  return types;
}

// The text model's part of a multimodal configuration, made whole: what the class defaults to and
// what only the outer object says.
Result<Json> TextConfig(const Json& config, const Recognised& found) {
  if (!config.contains("text_config") || !config["text_config"].is_object()) {
    return Unsupported("'text_config' is absent or not an object");
  }
  Json text = Json::parse(found.wrapper->text_defaults);
  text.update(config["text_config"]);
  for (const auto& [key, value] : config.items()) {
    if (IsOuterKey(key)) continue;
    const bool shared = IsSharedKey(key);
    if (!shared) {
      return Unsupported("'" + key + "' is not known; it may change what the model computes");
    }
    if (!value.is_null()) text[key] = value;
  }
  const std::string type = TRY(
      GetStringOr(text, "model_type", std::string(found.architecture->hugging_face.model_type)));
  if (type != found.architecture->hugging_face.model_type) {
    return Unsupported("'text_config' is of model_type '" + type + "'; of a " +
                       std::string(found.wrapper->model_type) +
                       " model these are supported: " + TextTypes(found.wrapper->model_type));
  }
  return text;
}

// An id, a list of ids, or null.
Result<void> AddIds(const Json& object, std::string_view key, std::vector<int32_t>& ids) {
  if (!Given(object, key)) return {};
  const Json& value = object[key];
  const Json list = value.is_array() ? value : Json::array({value});
  for (const Json& id : list) {
    if (!id.is_number_integer() || id < 0 || id > std::numeric_limits<int32_t>::max()) {
      return Unsupported("'" + std::string(key) + "' is neither an id nor a list of ids");
    }
    ids.push_back(id.get<int32_t>());
  }
  return {};
}

Result<void> ReadIds(const Json& config, std::string_view generation, ModelConfig& out) {
  std::vector<int32_t> begin;
  TRY(AddIds(config, "bos_token_id", begin));
  if (begin.size() > 1) return Unsupported("'bos_token_id' is a list");
  if (!begin.empty()) out.bos_id = begin[0];
  TRY(AddIds(config, "eos_token_id", out.eos_ids));
  if (!generation.empty()) {
    const Json json = TRY(ParseJson(generation).WithContext("generation_config.json"));
    if (!json.is_object()) return Unsupported("generation_config.json is not an object");
    TRY(AddIds(json, "eos_token_id", out.eos_ids).WithContext("generation_config.json"));
  }
  std::sort(out.eos_ids.begin(), out.eos_ids.end());
  out.eos_ids.erase(std::unique(out.eos_ids.begin(), out.eos_ids.end()), out.eos_ids.end());
  return {};
}

}  // namespace

Result<ModelConfig> ReadHuggingFaceConfig(std::string_view text, std::string_view generation) {
  Json config = TRY(ParseJson(text));
  if (!config.is_object()) return Unsupported("not a JSON object");
  const Recognised found = TRY(Recognise(config));
  ModelConfig out;
  out.architecture = found.architecture;
  out.wrapper = found.wrapper;
  if (found.wrapper != nullptr) {
    config = TRY(TextConfig(config, found));
    out.notes.push_back("only the text model of " + std::string(found.wrapper->class_name) +
                        " is loaded: it takes no images");
  }
  TRY(CheckKeys(config, found.architecture->hugging_face));
  out.quantization = TRY(ReadQuantization(config));
  TRY(found.architecture->hugging_face.read(config, out));
  TRY(ReadIds(config, generation, out));
  TRY(ValidateConfig(out));
  return out;
}

}  // namespace skerry::engine::internal
