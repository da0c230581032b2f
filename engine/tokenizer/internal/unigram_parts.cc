#include "engine/tokenizer/internal/unigram_parts.h"

#include "engine/tokenizer/internal/texts.h"
#include "engine/tokenizer/unigram_model.h"

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581

// Whether a space stands behind something else in the piece.
bool JoinsWords(const std::string& text) {
  size_t at = 0;
  while (text.compare(at, kSpaceSymbol.size(), kSpaceSymbol) == 0) at += kSpaceSymbol.size();
  return text.find(kSpaceSymbol, at) != std::string::npos;
}

void TakePiece(const SpmPiece& piece, TokenId id, PipelineParts& parts,
               std::vector<UnigramPiece>& pieces) {
  UnigramPiece own;
  own.text = piece.text;
  own.score = static_cast<double>(piece.score);
  own.used = piece.type == PieceType::kNormal;
  TokenInfo info{piece.text, SpacesShown(piece.text), false};
  if (piece.type == PieceType::kControl || piece.type == PieceType::kUnknown) {
    info.control = true;
    parts.added.push_back(piece.AsAdded(id));
  } else if (piece.type == PieceType::kUserDefined) {
    own.used = own.user_defined = IsPlainName(piece.text);
    if (!own.used) parts.added.push_back(piece.AsAdded(id));
  } else if (const int byte = BytePieceValue(piece.text);
             piece.type == PieceType::kByte && byte >= 0) {
    info.bytes = std::string(1, static_cast<char>(byte));
  } else if (piece.added) {
    parts.added.push_back(piece.AsAdded(id));
  }
  parts.tokens.push_back(std::move(info));
  pieces.push_back(std::move(own));
}

Result<std::unique_ptr<Normalizer>> MakeNormalizer(const SpmModel& model) {
  std::vector<std::unique_ptr<Normalizer>> stages;
  if (!model.charsmap.empty()) {
    CharsMap map = TRY(CharsMap::Parse(model.charsmap));
    stages.push_back(std::make_unique<CharsMapNormalizer>(std::move(map), /*longest_match=*/true));
  }
  if (model.remove_extra_whitespaces)
    stages.push_back(std::make_unique<CollapseSpacesNormalizer>());
  if (stages.empty()) return std::unique_ptr<Normalizer>();
  return std::unique_ptr<Normalizer>(std::make_unique<NormalizerSequence>(std::move(stages)));
}

}  // namespace

Result<PipelineParts> MakeUnigram(SpmModel model) {
  PipelineParts parts;
  std::vector<UnigramPiece> pieces;
  bool joins_words = false;
  for (size_t i = 0; i < model.pieces.size(); ++i) {
    TakePiece(model.pieces[i], static_cast<TokenId>(i), parts, pieces);
    joins_words = joins_words || JoinsWords(model.pieces[i].text);
  }
  std::optional<TokenId> unknown;
  if (model.unk_id >= 0) unknown = model.unk_id;
  parts.model = TRY(UnigramModel::Create(std::move(pieces), unknown, model.byte_fallback));
  parts.normalizer = TRY(MakeNormalizer(model));
  const PrefixScheme prefix = !model.add_dummy_prefix            ? PrefixScheme::kNever
                              : model.prefix_behind_added_tokens ? PrefixScheme::kAlways
                                                                 : PrefixScheme::kFirst;
  parts.pre_tokenizer =
      TRY(MetaspacePreTokenizer::Create(std::string(kSpaceSymbol), prefix, !joins_words));
  parts.adds_leading_space = model.add_dummy_prefix;
  if (model.bos_id >= 0) parts.bos = model.bos_id;
  if (model.eos_id >= 0) parts.eos = model.eos_id;
  return parts;
}

}  // namespace skerry::engine::internal
