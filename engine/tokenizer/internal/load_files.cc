// Each kind of tokenizer file.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/tokenizer/internal/load_parts.h"
#include "engine/tokenizer/internal/unigram_parts.h"
#include "engine/tokenizer/spm_model.h"
#include "engine/tokenizer/spm_tokenizer.h"
#include "engine/tokenizer/tekken.h"
#include "engine/tokenizer/tokenizer_json.h"
#include "engine/tokenizer/vocab_txt.h"

namespace skerry::engine::internal {
namespace {

constexpr size_t kMaxAddedTokens = 1 << 16;

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
    SpmPiece& piece = model.pieces[id];
    piece.added = true;
    piece.strip_left = TRY(GetBoolOr(*token, "lstrip", false));
    piece.strip_right = TRY(GetBoolOr(*token, "rstrip", false));
    piece.whole_word = TRY(GetBoolOr(*token, "single_word", false));
  }
  return {};
}

// "v3" of "mistral_instruct_tokenizer_240323.model.v3", also of "....model.v7m1"; empty for others.
std::string VersionOfName(const std::string& path) {
  const std::string name = std::filesystem::path(path).filename().string();
  const size_t at = name.find(".model.v");
  if (at == std::string::npos) return "";
  std::string version = "v";
  for (size_t i = at + 8; i < name.size() && name[i] >= '0' && name[i] <= '9'; ++i) {
    version += name[i];
  }
  return version.size() > 1 ? version : "";
}

}  // namespace

Result<LoadedTokenizer> FromParts(PipelineParts parts, const std::string& path) {
  LoadedTokenizer loaded;
  loaded.source = path;
  loaded.tokenizer = TRY(PipelineTokenizer::Create(std::move(parts)).WithContext(path));
  FinishStopTokens(loaded);
  return loaded;
}

Result<LoadedTokenizer> LoadSpmFile(const std::string& path, const Json& config) {
  const std::string bytes = TRY(ReadTextFile(path, SpmLimits::kMaxFileBytes));
  SpmModel model = TRY(ParseSpmModel(bytes).WithContext(path));
  TRY(ApplyAddedTokens(config, model));
  model.prefix_behind_added_tokens = TRY(GetBoolOr(config, "legacy", true));
  const bool add_prefix = TRY(GetBoolOr(config, "add_prefix_space", true));
  model.add_dummy_prefix = model.add_dummy_prefix && add_prefix;
  if (model.kind == SpmKind::kUnigram) {
    PipelineParts parts = TRY(MakeUnigram(std::move(model)).WithContext(path));
    parts.add_bos = TRY(GetBoolOr(config, "add_bos_token", false));
    parts.add_eos = TRY(GetBoolOr(config, "add_eos_token", true));
    return FromParts(std::move(parts), path);
  }
  const bool add_bos = TRY(GetBoolOr(config, "add_bos_token", true));
  LoadedTokenizer loaded;
  loaded.source = path;
  loaded.mistral_version = VersionOfName(path);
  loaded.tokenizer = TRY(SpmTokenizer::Create(std::move(model), add_bos).WithContext(path));
  FinishStopTokens(loaded);
  return loaded;
}

Result<LoadedTokenizer> LoadTokenizerJson(const std::string& path, const Json& config) {
  const Json file = TRY(ReadJsonFile(path, TokenizerJsonLimits::kMaxFileBytes));
  PipelineParts parts = TRY(ReadTokenizerJson(file, config).WithContext(path));
  return FromParts(std::move(parts), path);
}

Result<LoadedTokenizer> LoadTekkenFile(const std::string& path) {
  const Json file = TRY(ReadJsonFile(path, TokenizerJsonLimits::kMaxFileBytes));
  Tekken tekken = TRY(ReadTekken(file).WithContext(path));
  LoadedTokenizer loaded = TRY(FromParts(std::move(tekken.parts), path));
  loaded.mistral_version = tekken.version;
  return loaded;
}

Result<LoadedTokenizer> LoadVocabTxt(const std::string& path, const Json& config) {
  const std::string text = TRY(ReadTextFile(path, VocabTxtLimits::kMaxFileBytes));
  PipelineParts parts = TRY(ReadVocabTxt(text, config).WithContext(path));
  return FromParts(std::move(parts), path);
}

Result<LoadedTokenizer> LoadJsonFile(const std::string& path) {
  const Json file = TRY(ReadJsonFile(path, TokenizerJsonLimits::kMaxFileBytes));
  if (file.is_object() && file.contains("model")) {
    PipelineParts parts = TRY(ReadTokenizerJson(file, Json::object()).WithContext(path));
    return FromParts(std::move(parts), path);
  }
  Tekken tekken = TRY(ReadTekken(file).WithContext(path + ": neither tokenizer.json nor tekken"));
  LoadedTokenizer loaded = TRY(FromParts(std::move(tekken.parts), path));
  loaded.mistral_version = tekken.version;
  return loaded;
}

}  // namespace skerry::engine::internal
