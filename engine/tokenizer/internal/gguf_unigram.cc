// Kind 't5': SentencePiece's unigram model.
#include "engine/tokenizer/internal/gguf_parts.h"
#include "engine/tokenizer/internal/unigram_parts.h"

namespace skerry::engine::internal {
namespace {

Result<std::string> ReadCharsMap(const GgufFile& file) {
  if (!file.Has(GgufTokenizerKey("precompiled_charsmap"))) return std::string();
  const std::vector<int64_t> numbers = TRY(file.GetInts(GgufTokenizerKey("precompiled_charsmap")));
  std::string bytes;
  bytes.reserve(numbers.size());
  for (const int64_t number : numbers) bytes += static_cast<char>(number);
  return bytes;
}

}  // namespace

Result<PipelineParts> ReadGgufUnigram(const GgufFile& file) {
  SpmModel model;
  model.pieces = TRY(ReadGgufPieces(file, /*scores_needed=*/true));
  const size_t size = model.pieces.size();
  model.charsmap = TRY(ReadCharsMap(file));
  model.add_dummy_prefix = TRY(file.GetBoolOr(GgufTokenizerKey("add_space_prefix"), true));
  model.remove_extra_whitespaces =
      TRY(file.GetBoolOr(GgufTokenizerKey("remove_extra_whitespaces"), false));
  model.bos_id = TRY(ReadGgufTokenId(file, "bos_token_id", -1, size));
  model.eos_id = TRY(ReadGgufTokenId(file, "eos_token_id", 1, size));
  model.unk_id = TRY(ReadGgufTokenId(file, "unknown_token_id", 2, size));
  PipelineParts parts = TRY(MakeUnigram(std::move(model)));
  parts.add_bos = TRY(file.GetBoolOr(GgufTokenizerKey("add_bos_token"), false));
  parts.add_eos = TRY(file.GetBoolOr(GgufTokenizerKey("add_eos_token"), true));
  return parts;
}

}  // namespace skerry::engine::internal
