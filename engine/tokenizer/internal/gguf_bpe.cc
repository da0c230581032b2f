// Kind 'gpt2': byte-level BPE.
#include <unordered_map>

#include "engine/tokenizer/bpe_model.h"
#include "engine/tokenizer/byte_level.h"
#include "engine/tokenizer/internal/gguf_parts.h"
#include "engine/tokenizer/pre_patterns.h"
#include "engine/unicode/normal_form.h"

namespace skerry::engine::internal {
namespace {

// Fills in tokens and added tokens; the result has the bytes of those that text may become.
std::vector<std::string> TakePieces(std::vector<SpmPiece> pieces, PipelineParts& parts) {
  std::vector<std::string> texts(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    SpmPiece& piece = pieces[i];
    const auto id = static_cast<TokenId>(i);
    TokenInfo info;
    info.bytes = piece.text;
    switch (piece.type) {
      case PieceType::kControl:
      case PieceType::kUnknown:
        info.control = true;
        parts.added.push_back({piece.text, id});
        break;
      case PieceType::kUserDefined: {
        AddedToken added{piece.text, id};
        added.plain = IsPlainName(piece.text);
        parts.added.push_back(std::move(added));
        break;
      }
      case PieceType::kNormal:
      case PieceType::kByte:
        texts[i] = DecodeByteLevel(piece.text).value_or("");
        if (!texts[i].empty()) info.bytes = texts[i];
        break;
      case PieceType::kUnused:
        break;
    }
    info.name = std::move(piece.text);
    parts.tokens.push_back(std::move(info));
  }
  return texts;
}

Result<std::vector<BpeMerge>> ReadMerges(const GgufFile& file, const PipelineParts& parts) {
  const std::vector<std::string_view> lines = TRY(file.GetStrings(GgufTokenizerKey("merges")));
  std::unordered_map<std::string_view, TokenId> ids;
  ids.reserve(parts.tokens.size());
  for (size_t i = 0; i < parts.tokens.size(); ++i) {
    ids.emplace(parts.tokens[i].name, static_cast<TokenId>(i));
  }
  std::vector<BpeMerge> merges;
  merges.reserve(lines.size());
  std::string joined;
  for (const std::string_view line : lines) {
    const size_t space = line.find(' ', 1);  // a token may begin with one
    if (space == std::string_view::npos) {
      return Error(ErrorCode::kCorrupt, "tokenizer.ggml.merges: merge " +
                                            std::to_string(merges.size()) + " is not two tokens");
    }
    joined = std::string(line.substr(0, space)) + std::string(line.substr(space + 1));
    const auto left = ids.find(line.substr(0, space));
    const auto right = ids.find(line.substr(space + 1));
    const auto both = ids.find(joined);
    if (left == ids.end() || right == ids.end() || both == ids.end()) {
      return Error(ErrorCode::kCorrupt, "tokenizer.ggml.merges: merge " +
                                            std::to_string(merges.size()) +
                                            " names a token that is not in the vocabulary");
    }
    merges.push_back(
        {left->second, right->second, both->second, static_cast<uint32_t>(merges.size())});
  }
  return merges;
}

}  // namespace

Result<PipelineParts> ReadGgufBpe(const GgufFile& file) {
  const std::string_view name = TRY(file.GetStringOr(GgufTokenizerKey("pre"), ""));
  const PrePattern* pattern = TRY(FindPrePattern(name));
  std::vector<SpmPiece> pieces = TRY(ReadGgufPieces(file, /*scores_needed=*/false));
  PipelineParts parts;
  parts.pre_tokenizer = TRY(MakePreTokenizer(*pattern));
  if (pattern->nfc) {
    parts.normalizer = std::make_unique<NormalFormNormalizer>(unicode::NormalForm::kNfc);
  }
  std::vector<std::string> texts = TakePieces(std::move(pieces), parts);
  const std::vector<BpeMerge> merges = TRY(ReadMerges(file, parts));
  BpeOptions options;
  options.whole_words_first = pattern->whole_words_first;
  parts.model = TRY(BpeModel::Create(std::move(texts), merges, options));
  const bool prefix = TRY(file.GetBoolOr(GgufTokenizerKey("add_space_prefix"), false));
  if (prefix) {
    return Error(ErrorCode::kInvalidArgument,
                 "tokenizer.ggml.add_space_prefix is not supported for the kind 'gpt2'");
  }
  const size_t size = parts.tokens.size();
  const int32_t bos = TRY(ReadGgufTokenId(file, "bos_token_id", -1, size));
  const int32_t eos = TRY(ReadGgufTokenId(file, "eos_token_id", -1, size));
  if (bos >= 0) parts.bos = bos;
  if (eos >= 0) parts.eos = eos;
  parts.add_bos = TRY(file.GetBoolOr(GgufTokenizerKey("add_bos_token"), pattern->add_bos));
  parts.add_eos = TRY(file.GetBoolOr(GgufTokenizerKey("add_eos_token"), false));
  return parts;
}

}  // namespace skerry::engine::internal
