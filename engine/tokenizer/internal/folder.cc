// What a checkpoint's folder knows besides the vocabulary.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "appliance/base/files.h"
#include "engine/tokenizer/internal/load_parts.h"

namespace skerry::engine::internal {
namespace {

constexpr size_t kMaxJsonBytes = 64 << 20;
constexpr size_t kMaxStopTokens = 64;

// Null when the file does not exist.
Result<Json> ReadJsonIfThere(const std::string& path) {
  if (!std::filesystem::exists(path)) return Json();
  return ReadJsonFile(path, kMaxJsonBytes);
}

void CollectIds(const Json& value, std::vector<TokenId>& ids) {
  if (value.is_array()) {
    for (const Json& item : value) CollectIds(item, ids);
  } else if (value.is_number_integer() && ids.size() < kMaxStopTokens) {
    ids.push_back(value.get<TokenId>());
  }
}

}  // namespace

Result<std::string> ReadTextFile(const std::string& path, size_t max_bytes) {
  const auto files = TRY(OpenFiles("/"));
  const std::string absolute = std::filesystem::absolute(path).lexically_normal().string();
  return ReadAll(*files, absolute.substr(1), max_bytes);
}

Result<Json> ReadJsonFile(const std::string& path, size_t max_bytes) {
  const std::string text = TRY(ReadTextFile(path, max_bytes));
  JsonLimits limits;
  limits.max_bytes = max_bytes;
  return ParseJson(text, limits).WithContext(path);
}

Result<std::vector<std::string>> ListFolder(const std::string& folder) {
  const auto files = TRY(OpenFiles(folder));
  std::vector<std::string> names;
  std::vector<DirectoryEntry> entries = TRY(files->List("."));
  for (DirectoryEntry& entry : entries) names.push_back(std::move(entry.name));
  return names;
}

Result<Json> ReadTokenizerConfig(const std::string& folder) {
  Json config = TRY(ReadJsonIfThere(folder + "/tokenizer_config.json"));
  if (!config.is_object()) config = Json::object();
  return config;
}

Result<void> ReadStopTokens(const std::string& folder, LoadedTokenizer& loaded) {
  for (const char* name : {"generation_config.json", "config.json"}) {
    const Json file = TRY(ReadJsonIfThere(folder + "/" + name));
    if (file.is_object() && file.contains("eos_token_id")) {
      CollectIds(file["eos_token_id"], loaded.stop_tokens);
    }
  }
  FinishStopTokens(loaded);
  return {};
}

void FinishStopTokens(LoadedTokenizer& loaded) {
  const Tokenizer& tokenizer = *loaded.tokenizer;
  if (tokenizer.eos()) loaded.stop_tokens.push_back(*tokenizer.eos());
  std::erase_if(loaded.stop_tokens,
                [&](TokenId id) { return id < 0 || id >= tokenizer.vocab_size(); });
  std::ranges::sort(loaded.stop_tokens);
  loaded.stop_tokens.erase(std::unique(loaded.stop_tokens.begin(), loaded.stop_tokens.end()),
                           loaded.stop_tokens.end());
}

}  // namespace skerry::engine::internal
