#include "engine/tokenizer/load.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/tokenizer/internal/load_parts.h"

namespace skerry::engine {
namespace {

bool IsGgufName(const std::string& name) { return name.ends_with(".gguf"); }

// The one a person or another program would open first.
bool IsFirstGguf(const std::string& name) {
  return IsGgufName(name) &&
         (name.find("-of-") == std::string::npos || name.find("-00001-of-") != std::string::npos);
}

bool Has(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// Mistral's SentencePiece file of a folder, by the version in its name: "....model.v3".
std::optional<std::string> FindVersionedSpm(const std::vector<std::string>& names) {
  const auto found = std::ranges::find_if(
      names, [](const std::string& name) { return name.find(".model.v") != std::string::npos; });
  if (found == names.end()) return std::nullopt;
  return *found;
}

// The file of a folder that has the vocabulary.
std::optional<std::string> FindVocabulary(const std::vector<std::string>& names,
                                          TokenizerMode mode) {
  if (mode != TokenizerMode::kHuggingFace) {
    if (Has(names, "tekken.json")) return "tekken.json";
    if (const auto versioned = FindVersionedSpm(names)) return versioned;
    if (mode == TokenizerMode::kMistral && Has(names, "tokenizer.model")) return "tokenizer.model";
  }
  if (mode == TokenizerMode::kMistral) return std::nullopt;
  for (const char* name : {"tokenizer.json", "tokenizer.model", "vocab.txt"}) {
    if (Has(names, name)) return name;
  }
  return std::nullopt;
}

Result<LoadedTokenizer> LoadFile(const std::string& path, const Json& config) {
  const std::string name = std::filesystem::path(path).filename().string();
  if (name == "tokenizer.json") return internal::LoadTokenizerJson(path, config);
  if (name == "tekken.json") return internal::LoadTekkenFile(path);
  if (name.ends_with(".json")) return internal::LoadJsonFile(path);
  if (name.ends_with(".txt")) return internal::LoadVocabTxt(path, config);
  return internal::LoadSpmFile(path, config);
}

Error NoTokenizer(const std::string& folder, const std::vector<std::string>& names,
                  TokenizerMode mode) {
  if (mode == TokenizerMode::kMistral) {
    return Error(ErrorCode::kNotFound, "'" + folder +
                                           "' has none of Mistral's tokenizers (tekken.json, "
                                           "tokenizer.model or *.model.vN)");
  }
  for (const char* other : {"vocab.json", "spiece.model", "sentencepiece.bpe.model"}) {
    if (Has(names, other)) {
      return Error(ErrorCode::kInvalidArgument,
                   "'" + folder + "' has only the tokenizer file '" + other +
                       "', which does not say all that is needed; add the checkpoint's "
                       "tokenizer.json");
    }
  }
  return Error(ErrorCode::kNotFound,
               "'" + folder +
                   "' has no tokenizer.json, tekken.json, tokenizer.model or vocab.txt, and no "
                   "GGUF file");
}

}  // namespace

Result<std::string> ResolveCheckpoint(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    return Error(ErrorCode::kNotFound, "no model at '" + path + "'");
  }
  if (!std::filesystem::is_directory(status)) return path;
  const std::vector<std::string> names = TRY(internal::ListFolder(path));
  if (FindVocabulary(names, TokenizerMode::kAuto) || Has(names, "config.json")) return path;
  if (std::ranges::count_if(names, IsFirstGguf) != 1) return path;
  return path + "/" + *std::ranges::find_if(names, IsFirstGguf);
}

Result<LoadedTokenizer> LoadTokenizer(const std::string& path, TokenizerMode mode) {
  const std::string resolved = TRY(ResolveCheckpoint(path));
  if (IsGgufName(resolved)) return internal::LoadGgufTokenizer(resolved);
  if (!std::filesystem::is_directory(resolved)) return LoadFile(resolved, Json::object());
  const std::vector<std::string> names = TRY(internal::ListFolder(resolved));
  const std::optional<std::string> name = FindVocabulary(names, mode);
  if (!name) return NoTokenizer(resolved, names, mode);
  const Json config = TRY(internal::ReadTokenizerConfig(resolved));
  LoadedTokenizer loaded = TRY(LoadFile(resolved + "/" + *name, config));
  TRY(internal::ReadStopTokens(resolved, loaded));
  return loaded;
}

}  // namespace skerry::engine
