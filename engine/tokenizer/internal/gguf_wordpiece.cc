// Kind 'bert': WordPiece. Words begin with U+2581 and continuations have no mark, the other way
// round than in BERT's own files.
#include "engine/tokenizer/internal/added_list.h"
#include "engine/tokenizer/internal/gguf_parts.h"
#include "engine/tokenizer/internal/texts.h"

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581
// Ids of BERT's own vocabulary, for files that do not say.
constexpr int64_t kUnknown = 100;
constexpr int64_t kBegin = 101;
constexpr int64_t kEnd = 102;

std::string NameOf(const SpmPiece& piece) {
  if (piece.text.starts_with(kSpaceSymbol)) return piece.text.substr(kSpaceSymbol.size());
  const bool special = piece.type == PieceType::kControl || piece.type == PieceType::kUnknown ||
                       (piece.text.starts_with('[') && piece.text.ends_with(']'));
  return special ? piece.text : "##" + piece.text;
}

}  // namespace

Result<PipelineParts> ReadGgufWordPiece(const GgufFile& file) {
  const std::vector<SpmPiece> pieces = TRY(ReadGgufPieces(file, /*scores_needed=*/false));
  PipelineParts parts;
  for (const SpmPiece& piece : pieces) parts.tokens.push_back({NameOf(piece), "", false});
  const size_t size = pieces.size();
  const int32_t unknown = TRY(ReadGgufTokenId(file, "unknown_token_id", kUnknown, size));
  if (unknown < 0) {
    return Error(ErrorCode::kCorrupt, "tokenizer.ggml.unknown_token_id is outside the vocabulary");
  }
  TRY(MakeWordPiece("##", parts.tokens[static_cast<size_t>(unknown)].name, 100, parts));
  TRY(AddBertStages(BertNormalizerOptions(), parts));
  const int32_t begin = TRY(ReadGgufTokenId(file, "bos_token_id", kBegin, size));
  const int32_t cls = TRY(ReadGgufTokenId(file, "cls_token_id", begin, size));
  const int32_t end = TRY(ReadGgufTokenId(file, "eos_token_id", kEnd, size));
  // The key is spelled like this in the format.
  const int32_t separator = TRY(ReadGgufTokenId(file, "seperator_token_id", end, size));
  if (cls >= 0) parts.bos = cls;
  if (separator >= 0) parts.eos = separator;
  parts.add_bos = parts.bos.has_value();
  parts.add_eos = parts.eos.has_value();
  for (size_t i = 0; i < size; ++i) {
    const auto id = static_cast<TokenId>(i);
    if (pieces[i].type == PieceType::kControl || pieces[i].type == PieceType::kUnknown ||
        id == parts.bos || id == parts.eos || id == unknown) {
      MarkControl(id, parts);
    }
  }
  return parts;
}

}  // namespace skerry::engine::internal
