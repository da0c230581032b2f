#include "engine/chat/source.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "engine/formats/gguf.h"
#include "engine/jinja/template.h"
#include "engine/tokenizer/load.h"

namespace skerry::engine {
namespace {

constexpr size_t kMaxJsonBytes = 64 << 20;
constexpr size_t kMaxTemplates = 64;
constexpr std::string_view kTemplateSuffix = ".jinja";
constexpr std::string_view kSpecialTokens[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                               "pad_token", "cls_token", "mask_token"};

// A checkpoint's folder, listed once.
class Folder {
 public:
  static Result<Folder> Open(const std::string& path) {
    Folder folder;
    folder.path_ = path;
    folder.files_ = TRY(OpenFiles(path));
    std::vector<DirectoryEntry> entries = TRY(folder.files_->List("."));
    for (DirectoryEntry& entry : entries) folder.names_.push_back(std::move(entry.name));
    std::ranges::sort(folder.names_);
    return folder;
  }

  const std::string& path() const { return path_; }
  const std::vector<std::string>& names() const { return names_; }
  bool Has(std::string_view name) const { return std::ranges::binary_search(names_, name); }

  Result<std::string> Read(const std::string& name, size_t max_bytes) const {
    return ReadAll(*files_, name, max_bytes);
  }

  // An empty object when there is no such file.
  Result<Json> ReadJson(const std::string& name) const {
    if (!Has(name)) return Json::object();
    const std::string text = TRY(Read(name, kMaxJsonBytes));
    JsonLimits limits;
    limits.max_bytes = kMaxJsonBytes;
    Json json = TRY(ParseJson(text, limits).WithContext(path_ + "/" + name));
    return json.is_object() ? std::move(json) : Json::object();
  }

 private:
  std::string path_;
  std::unique_ptr<FileSystem> files_;
  std::vector<std::string> names_;
};

Result<void> AddTemplate(std::string name, std::string text, ChatSource& source) {
  if (text.empty()) return {};
  if (source.templates.size() == kMaxTemplates) {
    return Error(ErrorCode::kExhausted,
                 "more than " + std::to_string(kMaxTemplates) + " chat templates");
  }
  source.templates.insert_or_assign(std::move(name), std::move(text));
  return {};
}

// "chat_template" of tokenizer_config.json or chat_template.json: one, or several by name.
Result<void> AddConfiguredTemplates(const Json& config, ChatSource& source) {
  const auto found = config.find("chat_template");
  if (found == config.end()) return {};
  if (found->is_string()) return AddTemplate("default", found->get<std::string>(), source);
  for (const Json& item : found->is_array() ? *found : Json::array()) {
    if (!item.is_object()) continue;
    std::string name = TRY(GetString(item, "name").WithContext("chat_template"));
    std::string text = TRY(GetString(item, "template").WithContext("chat_template"));
    TRY(AddTemplate(std::move(name), std::move(text), source));
  }
  return {};
}

// Later ones win: what transformers writes today stands in files of their own.
Result<void> ReadTemplates(const Folder& folder, const Json& config, ChatSource& source) {
  TRY(AddConfiguredTemplates(config, source));
  const Json processor = TRY(folder.ReadJson("chat_template.json"));
  TRY(AddConfiguredTemplates(processor, source));
  if (folder.Has("chat_template.jinja")) {
    std::string text = TRY(folder.Read("chat_template.jinja", jinja::kMaxTemplateBytes));
    TRY(AddTemplate("default", std::move(text), source));
  }
  if (!folder.Has("additional_chat_templates")) return {};
  const Folder more = TRY(Folder::Open(folder.path() + "/additional_chat_templates"));
  for (const std::string& name : more.names()) {
    if (!name.ends_with(kTemplateSuffix)) continue;
    std::string text = TRY(more.Read(name, jinja::kMaxTemplateBytes));
    TRY(AddTemplate(name.substr(0, name.size() - kTemplateSuffix.size()), std::move(text), source));
  }
  return {};
}

// A string, or an object that holds it.
void ReadSpecialTokens(const Json& config, ChatSource& source) {
  for (const std::string_view name : kSpecialTokens) {
    const auto found = config.find(name);
    if (found == config.end()) continue;
    const Json* value = &*found;
    if (value->is_object() && value->contains("content")) value = &(*value)["content"];
    if (value->is_string()) source.special_tokens[std::string(name)] = value->get<std::string>();
  }
}

Result<ChatSource> LoadFolder(const std::string& path) {
  const Folder folder = TRY(Folder::Open(path));
  ChatSource source;
  const Json config = TRY(folder.ReadJson("tokenizer_config.json"));
  const Json special = TRY(folder.ReadJson("special_tokens_map.json"));
  TRY(ReadTemplates(folder, config, source).WithContext(path));
  ReadSpecialTokens(special, source);
  ReadSpecialTokens(config, source);
  // Weights in Mistral's own form beside a vocabulary that has no version are the first ones.
  if (folder.Has("params.json") && !folder.Has("tokenizer.json")) {
    source.mistral = MistralVersion::kV1;
  }
  return source;
}

// The token that `key` names by its id, as a string.
Result<void> AddGgufToken(const GgufFile& file, const std::vector<std::string_view>& tokens,
                          std::string_view key, std::string_view name, ChatSource& source) {
  const int64_t id = TRY(file.GetIntOr("tokenizer.ggml." + std::string(key), -1));
  if (id >= 0 && id < static_cast<int64_t>(tokens.size())) {
    source.special_tokens[std::string(name)] = std::string(tokens[id]);
  }
  return {};
}

Result<ChatSource> LoadGguf(const std::string& path) {
  static constexpr std::string_view kKey = "tokenizer.chat_template";
  const GgufFile file = TRY(GgufFile::Open(path));
  ChatSource source;
  for (const std::string_view key : file.Keys()) {
    if (!key.starts_with(kKey) || file.IsArray(key)) continue;
    const std::string_view rest = key.substr(kKey.size());
    if (!rest.empty() && rest[0] != '.') continue;
    const std::string_view text = TRY(file.GetString(key).WithContext(path));
    TRY(AddTemplate(rest.empty() ? "default" : std::string(rest.substr(1)), std::string(text),
                    source));
  }
  if (!file.Has("tokenizer.ggml.tokens")) return source;
  const std::vector<std::string_view> tokens =
      TRY(file.GetStrings("tokenizer.ggml.tokens").WithContext(path));
  TRY(AddGgufToken(file, tokens, "bos_token_id", "bos_token", source).WithContext(path));
  TRY(AddGgufToken(file, tokens, "eos_token_id", "eos_token", source).WithContext(path));
  TRY(AddGgufToken(file, tokens, "unknown_token_id", "unk_token", source).WithContext(path));
  TRY(AddGgufToken(file, tokens, "padding_token_id", "pad_token", source).WithContext(path));
  return source;
}

}  // namespace

Result<MistralVersion> ParseMistralVersion(std::string_view name) {
  static constexpr MistralVersion kAll[] = {
      MistralVersion::kV1,  MistralVersion::kV2,  MistralVersion::kV3, MistralVersion::kV7,
      MistralVersion::kV11, MistralVersion::kV13, MistralVersion::kV15};
  int number = 0;
  if (name.starts_with('v')) {
    const char* end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + 1, end, number);
    // "m1" behind it: the vocabulary of a model that sees images.
    if (parsed.ptr != end && *parsed.ptr != 'm') number = 0;
  }
  for (const MistralVersion version : kAll) {
    if (static_cast<int>(version) == number) return version;
  }
  return Error(ErrorCode::kInvalidArgument,
               "version '" + std::string(name.substr(0, 32)) +
                   "' of Mistral's formats is not known; known are v1, v2, v3, v7, v11, v13, v15");
}

Result<ChatSource> LoadChatSource(const std::string& path, std::string_view mistral_version) {
  const std::string resolved = TRY(ResolveCheckpoint(path));
  ChatSource source;
  if (std::filesystem::is_directory(resolved)) {
    source = TRY(LoadFolder(resolved));
  } else if (resolved.ends_with(".gguf")) {
    source = TRY(LoadGguf(resolved));
  }
  if (!mistral_version.empty()) {
    source.mistral = TRY(ParseMistralVersion(mistral_version).WithContext(path));
  }
  return source;
}

}  // namespace skerry::engine
