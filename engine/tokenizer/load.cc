#include "engine/tokenizer/load.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "engine/tokenizer/internal/load_parts.h"
#include "engine/tokenizer/spm_model.h"
#include "engine/tokenizer/spm_tokenizer.h"

namespace skerry::engine {
namespace {

constexpr size_t kMaxJsonBytes = 64 << 20;
constexpr size_t kMaxStopTokens = 64;
constexpr size_t kMaxAddedTokens = 1 << 16;

bool IsGgufName(const std::string& name) { return name.ends_with(".gguf"); }

Result<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  const auto files = TRY(OpenFiles("/"));
  const std::string absolute = std::filesystem::absolute(path).lexically_normal().string();
  return ReadAll(*files, absolute.substr(1), max_bytes);
}

// Null when the file does not exist.
Result<Json> ReadJsonIfThere(const std::string& path) {
  if (!std::filesystem::exists(path)) return Json();
  const std::string text = TRY(ReadFile(path, kMaxJsonBytes));
  JsonLimits limits;
  limits.max_bytes = kMaxJsonBytes;
  return ParseJson(text, limits).WithContext(path);
}

Result<std::vector<std::string>> ListFolder(const std::string& folder) {
  const auto files = TRY(OpenFiles(folder));
  std::vector<std::string> names;
  std::vector<DirectoryEntry> entries = TRY(files->List("."));
  for (DirectoryEntry& entry : entries) names.push_back(std::move(entry.name));
  return names;
}

// The SentencePiece file of a folder: `tokenizer.model`, else the only `*.model.v1` ... of
// Mistral's.
std::optional<std::string> FindSpmFile(const std::vector<std::string>& names) {
  std::optional<std::string> versioned;
  for (const std::string& name : names) {
    if (name == "tokenizer.model") return name;
    if (name.find(".model.v") != std::string::npos) versioned = name;
  }
  return versioned;
}

// Adds what tokenizer_config.json knows beyond the SentencePiece model.
Result<void> ApplyAddedTokens(const Json& config, SpmModel& model) {
  const auto found = config.find("added_tokens_decoder");
  if (found == config.end() || !found->is_object()) return {};
  std::vector<std::pair<int64_t, const Json*>> added;
  for (const auto& [key, value] : found->items()) {
    if (key.empty() || key.size() > 8 || key.find_first_not_of("0123456789") != std::string::npos ||
        !value.is_object()) {
      return Error(ErrorCode::kCorrupt,
                   "tokenizer_config.json: added_tokens_decoder: '" + key + "' is not a token id");
    }
    added.emplace_back(std::stoll(key), &value);
  }
  if (added.size() > kMaxAddedTokens) {
    return Error(ErrorCode::kExhausted, "tokenizer_config.json: too many added tokens");
  }
  std::ranges::sort(added);
  for (const auto& [id, token] : added) {
    const std::string content = TRY(GetString(*token, "content"));
    const bool special = TRY(GetBoolOr(*token, "special", false));
    const auto size = static_cast<int64_t>(model.pieces.size());
    if (content.size() > SpmLimits::kMaxPieceBytes) {
      return Error(ErrorCode::kExhausted,
                   "tokenizer_config.json: added token " + std::to_string(id) + " has " +
                       std::to_string(content.size()) + " bytes; the limit is " +
                       std::to_string(SpmLimits::kMaxPieceBytes));
    }
    if (id > size || content.empty()) {
      return Error(ErrorCode::kCorrupt, "tokenizer_config.json: added token " + std::to_string(id) +
                                            " does not follow the vocabulary");
    }
    if (id == size) {
      model.pieces.push_back({content, 0, special ? PieceType::kControl : PieceType::kUserDefined});
    } else if (model.pieces[id].text != content) {
      return Error(ErrorCode::kCorrupt, "tokenizer_config.json: token " + std::to_string(id) +
                                            " is '" + content + "' but '" + model.pieces[id].text +
                                            "' in the SentencePiece model");
    } else if (special && model.pieces[id].type != PieceType::kUnknown) {
      model.pieces[id].type = PieceType::kControl;
    }
  }
  return {};
}

void CollectIds(const Json& value, std::vector<TokenId>& ids) {
  if (value.is_array()) {
    for (const Json& item : value) CollectIds(item, ids);
  } else if (value.is_number_integer() && ids.size() < kMaxStopTokens) {
    ids.push_back(value.get<TokenId>());
  }
}

Result<std::string> ReadTemplate(const std::string& folder, const Json& config) {
  const std::string path = folder + "/chat_template.jinja";
  if (std::filesystem::exists(path)) return ReadFile(path, kMaxJsonBytes);
  const auto found = config.find("chat_template");
  if (found == config.end()) return std::string();
  if (found->is_string()) return found->get<std::string>();
  if (found->is_array()) {  // several, by name
    for (const Json& item : *found) {
      if (!item.is_object()) continue;
      const std::string name = TRY(GetStringOr(item, "name", ""));
      if (name == "default") return GetStringOr(item, "template", "");
    }
  }
  return std::string();
}

Result<LoadedTokenizer> LoadSpmFile(const std::string& path) {
  const std::string bytes = TRY(ReadFile(path, SpmLimits::kMaxFileBytes));
  SpmModel model = TRY(ParseSpmModel(bytes).WithContext(path));
  LoadedTokenizer loaded;
  loaded.source = path;
  loaded.tokenizer = TRY(SpmTokenizer::Create(std::move(model), /*add_bos=*/true));
  internal::FinishStopTokens(loaded);
  return loaded;
}

Result<LoadedTokenizer> LoadFolder(const std::string& folder, const std::string& spm_name) {
  const std::string path = folder + "/" + spm_name;
  const std::string bytes = TRY(ReadFile(path, SpmLimits::kMaxFileBytes));
  SpmModel model = TRY(ParseSpmModel(bytes).WithContext(path));
  Json config = TRY(ReadJsonIfThere(folder + "/tokenizer_config.json"));
  if (!config.is_object()) config = Json::object();
  TRY(ApplyAddedTokens(config, model));
  model.prefix_behind_added_tokens = TRY(GetBoolOr(config, "legacy", true));
  const bool add_prefix = TRY(GetBoolOr(config, "add_prefix_space", true));
  model.add_dummy_prefix = model.add_dummy_prefix && add_prefix;
  LoadedTokenizer loaded;
  loaded.source = path;
  const bool add_bos = TRY(GetBoolOr(config, "add_bos_token", true));
  loaded.chat_template = TRY(ReadTemplate(folder, config));
  loaded.tokenizer = TRY(SpmTokenizer::Create(std::move(model), add_bos));
  for (const char* name : {"generation_config.json", "config.json"}) {
    const Json file = TRY(ReadJsonIfThere(folder + "/" + name));
    if (file.is_object() && file.contains("eos_token_id")) {
      CollectIds(file["eos_token_id"], loaded.stop_tokens);
    }
  }
  internal::FinishStopTokens(loaded);
  return loaded;
}

Error NoTokenizer(const std::string& folder, const std::vector<std::string>& names) {
  for (const char* other : {"tokenizer.json", "tekken.json", "vocab.json", "vocab.txt"}) {
    if (std::ranges::find(names, other) != names.end()) {
      return Error(ErrorCode::kInvalidArgument,
                   "'" + folder + "' has the tokenizer '" + std::string(other) +
                       "'; only SentencePiece BPE ('tokenizer.model', or GGUF with "
                       "tokenizer.ggml.model = llama) is supported");
    }
  }
  return Error(ErrorCode::kNotFound, "'" + folder + "' has no tokenizer.model and no GGUF file");
}

}  // namespace

namespace internal {

void FinishStopTokens(LoadedTokenizer& loaded) {
  const Tokenizer& tokenizer = *loaded.tokenizer;
  if (tokenizer.eos()) loaded.stop_tokens.push_back(*tokenizer.eos());
  std::erase_if(loaded.stop_tokens,
                [&](TokenId id) { return id < 0 || id >= tokenizer.vocab_size(); });
  std::ranges::sort(loaded.stop_tokens);
  loaded.stop_tokens.erase(std::ranges::unique(loaded.stop_tokens).begin(),
                           loaded.stop_tokens.end());
}

}  // namespace internal

Result<std::string> ResolveCheckpoint(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    return Error(ErrorCode::kNotFound, "no model at '" + path + "'");
  }
  if (!std::filesystem::is_directory(status)) return path;
  const std::vector<std::string> names = TRY(ListFolder(path));
  if (FindSpmFile(names) || std::ranges::find(names, "config.json") != names.end()) return path;
  const auto gguf = std::ranges::find_if(names, IsGgufName);
  if (gguf == names.end() || std::ranges::count_if(names, IsGgufName) != 1) return path;
  return path + "/" + *gguf;
}

Result<LoadedTokenizer> LoadTokenizer(const std::string& path) {
  const std::string resolved = TRY(ResolveCheckpoint(path));
  if (std::filesystem::is_directory(resolved)) {
    const std::vector<std::string> names = TRY(ListFolder(resolved));
    const std::optional<std::string> spm = FindSpmFile(names);
    if (!spm) return NoTokenizer(resolved, names);
    return LoadFolder(resolved, *spm);
  }
  if (IsGgufName(resolved)) return internal::LoadGgufTokenizer(resolved);
  return LoadSpmFile(resolved);
}

}  // namespace skerry::engine
