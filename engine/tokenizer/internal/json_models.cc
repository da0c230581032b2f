#include "engine/tokenizer/internal/json_models.h"

#include <nlohmann/json.hpp>
#include <unordered_map>

#include "engine/tokenizer/bpe_model.h"
#include "engine/tokenizer/byte_level.h"
#include "engine/tokenizer/internal/texts.h"
#include "engine/tokenizer/spm_model.h"
#include "engine/tokenizer/unigram_model.h"
#include "engine/tokenizer/wordpiece_model.h"

namespace skerry::engine::internal {
namespace {

Error Bad(const std::string& what) { return Error(ErrorCode::kCorrupt, "model: " + what); }

// The vocabulary object {"text": id}, by id. Ids without a text stay empty.
Result<void> ReadVocabulary(const Json& spec, PipelineParts& parts) {
  const auto found = spec.find("vocab");
  if (found == spec.end() || !found->is_object() || found->empty()) {
    return Bad("'vocab' must be an object of texts and ids");
  }
  for (const auto& [text, id] : found->items()) {
    const std::optional<TokenId> number = AsTokenId(id);
    if (!number || text.size() > PipelineTokenizer::kMaxTokenBytes) {
      return Error(ErrorCode::kExhausted, "model: the token '" + text.substr(0, 64) +
                                              "' is too long or has no id below " +
                                              std::to_string(PipelineTokenizer::kMaxTokens));
    }
    const auto place = static_cast<size_t>(*number);
    if (place >= parts.tokens.size()) parts.tokens.resize(place + 1);
    if (!parts.tokens[place].name.empty()) {
      return Bad("the tokens '" + text.substr(0, 64) + "' and '" +
                 parts.tokens[place].name.substr(0, 64) + "' have one id");
    }
    parts.tokens[place].name = text;
  }
  return {};
}

using Ids = std::unordered_map<std::string_view, TokenId>;

Ids IndexNames(const PipelineParts& parts) {
  Ids ids;
  ids.reserve(parts.tokens.size());
  for (size_t i = 0; i < parts.tokens.size(); ++i) {
    if (!parts.tokens[i].name.empty()) ids.emplace(parts.tokens[i].name, static_cast<TokenId>(i));
  }
  return ids;
}

// "left right" or ["left", "right"].
Result<std::pair<std::string_view, std::string_view>> MergeTexts(const Json& merge) {
  if (merge.is_string()) {
    const std::string_view text = merge.get_ref<const std::string&>();
    const size_t space = text.find(' ');
    if (space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos) {
      return std::pair(text.substr(0, space), text.substr(space + 1));
    }
  } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
             merge[1].is_string()) {
    return std::pair(std::string_view(merge[0].get_ref<const std::string&>()),
                     std::string_view(merge[1].get_ref<const std::string&>()));
  }
  return Bad("a merge must be two texts");
}

Result<std::vector<BpeMerge>> ReadMerges(const Json& spec, const Ids& ids) {
  const auto found = spec.find("merges");
  if (found == spec.end() || !found->is_array() ||
      found->size() > 4 * PipelineTokenizer::kMaxTokens) {
    return Bad("'merges' must be an array of at most " +
               std::to_string(4 * PipelineTokenizer::kMaxTokens));
  }
  std::vector<BpeMerge> merges;
  merges.reserve(found->size());
  std::string joined;
  for (const Json& item : *found) {
    const auto texts = TRY(MergeTexts(item));
    joined = std::string(texts.first) + std::string(texts.second);
    const auto left = ids.find(texts.first);
    const auto right = ids.find(texts.second);
    const auto both = ids.find(joined);
    if (left == ids.end() || right == ids.end() || both == ids.end()) {
      return Bad("merge " + std::to_string(merges.size()) + " ('" + joined.substr(0, 64) +
                 "') names a token that is not in the vocabulary");
    }
    merges.push_back(
        {left->second, right->second, both->second, static_cast<uint32_t>(merges.size())});
  }
  return merges;
}

Result<void> RefuseSetting(const Json& spec, const char* key) {
  const auto found = spec.find(key);
  const bool neutral = found == spec.end() || found->is_null() || *found == "" || *found == 0;
  if (neutral) return {};
  return Error(ErrorCode::kInvalidArgument, "model: '" + std::string(key) + "' is not supported");
}

Result<void> ReadBpe(const Json& spec, bool over_bytes, PipelineParts& parts) {
  TRY(RefuseUnknownKeys(
      spec, {"type", "vocab", "merges", "dropout", "unk_token", "continuing_subword_prefix",
             "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges"}));
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    TRY(RefuseSetting(spec, key));
  }
  TRY(ReadVocabulary(spec, parts));
  const Ids ids = IndexNames(parts);
  const std::vector<BpeMerge> merges = TRY(ReadMerges(spec, ids));
  BpeOptions options;
  options.over_bytes = over_bytes;
  options.whole_words_first = TRY(GetBoolOr(spec, "ignore_merges", false));
  options.byte_fallback = TRY(GetBoolOr(spec, "byte_fallback", false));
  options.fuse_unknown = TRY(GetBoolOr(spec, "fuse_unk", false));
  if (spec.contains("unk_token") && !spec["unk_token"].is_null()) {
    const std::string unknown = TRY(GetString(spec, "unk_token"));
    const auto found = ids.find(unknown);
    if (found == ids.end()) return Bad("the unk_token is not in the vocabulary");
    options.unknown = found->second;
  }
  std::vector<std::string> texts;
  texts.reserve(parts.tokens.size());
  for (TokenInfo& token : parts.tokens) {
    if (over_bytes) {
      token.bytes = DecodeByteLevel(token.name).value_or("");
      texts.push_back(token.bytes);
      if (token.bytes.empty()) token.bytes = token.name;  // text never becomes this one
      continue;
    }
    const int byte = options.byte_fallback ? BytePieceValue(token.name) : -1;
    token.bytes = byte >= 0 ? std::string(1, static_cast<char>(byte)) : SpacesShown(token.name);
    texts.push_back(token.name);
  }
  parts.model = TRY(BpeModel::Create(std::move(texts), merges, options));
  return {};
}

Result<void> ReadWordPiece(const Json& spec, PipelineParts& parts) {
  TRY(RefuseUnknownKeys(spec, {"type", "vocab", "unk_token", "continuing_subword_prefix",
                               "max_input_chars_per_word"}));
  TRY(ReadVocabulary(spec, parts));
  const std::string prefix = TRY(GetStringOr(spec, "continuing_subword_prefix", "##"));
  const std::string unknown = TRY(GetStringOr(spec, "unk_token", "[UNK]"));
  const int64_t longest = TRY(GetIntOr(spec, "max_input_chars_per_word", 100));
  if (longest < 1 || longest > 1000) return Bad("'max_input_chars_per_word' must be 1 to 1000");
  return MakeWordPiece(prefix, unknown, static_cast<size_t>(longest), parts).WithContext("model");
}

Result<void> ReadUnigram(const Json& spec, PipelineParts& parts) {
  TRY(RefuseUnknownKeys(spec, {"type", "vocab", "unk_id", "byte_fallback"}));
  const auto found = spec.find("vocab");
  if (found == spec.end() || !found->is_array() || found->empty() ||
      found->size() > PipelineTokenizer::kMaxTokens) {
    return Bad("'vocab' must be an array of pieces and scores");
  }
  const bool byte_fallback = TRY(GetBoolOr(spec, "byte_fallback", false));
  std::optional<TokenId> unknown;
  if (spec.contains("unk_id") && !spec["unk_id"].is_null()) {
    const int64_t id = TRY(GetInt(spec, "unk_id"));
    if (id < 0 || id >= static_cast<int64_t>(found->size())) {
      return Bad("'unk_id' is outside of the vocabulary");
    }
    unknown = static_cast<TokenId>(id);
  }
  std::vector<UnigramPiece> pieces;
  for (const Json& item : *found) {
    if (!item.is_array() || item.size() != 2 || !item[0].is_string() || !item[1].is_number() ||
        item[0].get_ref<const std::string&>().size() > PipelineTokenizer::kMaxTokenBytes) {
      return Bad("piece " + std::to_string(pieces.size()) + " must be a text and a score");
    }
    UnigramPiece piece;
    piece.text = item[0].get<std::string>();
    piece.score = item[1].get<double>();
    const int byte = byte_fallback ? BytePieceValue(piece.text) : -1;
    parts.tokens.push_back(
        {piece.text, byte >= 0 ? std::string(1, static_cast<char>(byte)) : SpacesShown(piece.text),
         false});
    pieces.push_back(std::move(piece));
  }
  parts.model =
      TRY(UnigramModel::Create(std::move(pieces), unknown, byte_fallback).WithContext("model"));
  return {};
}

}  // namespace

Result<void> ReadModel(const Json& spec, bool over_bytes, PipelineParts& parts) {
  if (!spec.is_object()) return Bad("missing");
  const std::string type =
      TRY(GetStringOr(spec, "type", spec.contains("merges") ? "BPE" : "absent"));
  if (type == "BPE") return ReadBpe(spec, over_bytes, parts);
  if (over_bytes) {
    return Error(ErrorCode::kInvalidArgument,
                 "model: '" + type.substr(0, 64) + "' over bytes (ByteLevel) is not supported");
  }
  if (type == "WordPiece") return ReadWordPiece(spec, parts);
  if (type == "Unigram") return ReadUnigram(spec, parts);
  return Error(ErrorCode::kInvalidArgument,
               "model: the type '" + type.substr(0, 64) +
                   "' is not supported; these are: BPE, Unigram, WordPiece");
}

}  // namespace skerry::engine::internal
