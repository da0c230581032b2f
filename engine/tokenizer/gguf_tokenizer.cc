// The vocabulary inside a GGUF file.
#include <algorithm>
#include <cmath>

#include "engine/formats/gguf.h"
#include "engine/tokenizer/internal/gguf_parts.h"
#include "engine/tokenizer/internal/load_parts.h"
#include "engine/tokenizer/spm_model.h"
#include "engine/tokenizer/spm_tokenizer.h"
#include "engine/tokenizer/utf8.h"

namespace skerry::engine::internal {
namespace {

std::string Key(std::string_view name) { return GgufTokenizerKey(name); }

Result<std::string> ReadKind(const GgufFile& file) {
  if (!file.Has(Key("model"))) {
    return Error(ErrorCode::kNotFound, "the GGUF file has no tokenizer");
  }
  const std::string_view kind = TRY(file.GetString(Key("model")));
  if (std::ranges::find(kGgufTokenizers, kind) == std::end(kGgufTokenizers)) {
    std::string known;
    for (const std::string_view name : kGgufTokenizers) {
      known += (known.empty() ? "'" : ", '") + std::string(name) + "'";
    }
    return Error(ErrorCode::kInvalidArgument, "the GGUF file has a tokenizer of the kind '" +
                                                  std::string(kind.substr(0, 64)) +
                                                  "'; these are supported: " + known);
  }
  return std::string(kind);
}

// Kind 'llama': SentencePiece BPE.
Result<std::unique_ptr<Tokenizer>> ReadSpm(const GgufFile& file) {
  if (file.Has(Key("precompiled_charsmap"))) {
    return Error(ErrorCode::kInvalidArgument,
                 "the GGUF file's tokenizer normalises text (precompiled_charsmap); only identity "
                 "is supported for the kind 'llama'");
  }
  SpmModel model;
  model.pieces = TRY(ReadGgufPieces(file, /*scores_needed=*/true));
  model.byte_fallback = true;  // converters write 'llama' only for such vocabularies
  model.add_dummy_prefix = TRY(file.GetBoolOr(Key("add_space_prefix"), true));
  model.remove_extra_whitespaces = TRY(file.GetBoolOr(Key("remove_extra_whitespaces"), false));
  const size_t size = model.pieces.size();
  model.bos_id = TRY(ReadGgufTokenId(file, "bos_token_id", 1, size));
  model.eos_id = TRY(ReadGgufTokenId(file, "eos_token_id", 2, size));
  model.unk_id = TRY(ReadGgufTokenId(file, "unknown_token_id", 0, size));
  const bool add_bos = TRY(file.GetBoolOr(Key("add_bos_token"), true));
  std::unique_ptr<Tokenizer> tokenizer = TRY(SpmTokenizer::Create(std::move(model), add_bos));
  return tokenizer;
}

Result<PipelineParts> ReadParts(const GgufFile& file, std::string_view kind) {
  if (kind == "gpt2") return ReadGgufBpe(file);
  if (kind == "bert") return ReadGgufWordPiece(file);
  return ReadGgufUnigram(file);
}

Result<std::unique_ptr<Tokenizer>> ReadTokenizer(const GgufFile& file) {
  const std::string kind = TRY(ReadKind(file));
  if (kind == "llama") return ReadSpm(file);
  PipelineParts parts = TRY(ReadParts(file, kind));
  std::unique_ptr<Tokenizer> tokenizer = TRY(PipelineTokenizer::Create(std::move(parts)));
  return tokenizer;
}

}  // namespace

Result<int32_t> ReadGgufTokenId(const GgufFile& file, std::string_view name, int64_t fallback,
                                size_t vocab_size) {
  const int64_t id = TRY(file.GetIntOr(Key(name), fallback));
  if (id < 0 || id >= static_cast<int64_t>(vocab_size)) return -1;
  return static_cast<int32_t>(id);
}

Result<std::vector<SpmPiece>> ReadGgufPieces(const GgufFile& file, bool scores_needed) {
  const std::vector<std::string_view> texts = TRY(file.GetStrings(Key("tokens")));
  std::vector<float> scores(texts.size());
  if (scores_needed || file.Has(Key("scores"))) scores = TRY(file.GetFloats(Key("scores")));
  const std::vector<int64_t> types = TRY(file.GetInts(Key("token_type")));
  if (texts.empty() || texts.size() > SpmLimits::kMaxPieces || scores.size() != texts.size() ||
      types.size() != texts.size()) {
    return Error(ErrorCode::kCorrupt,
                 "tokenizer.ggml: tokens, scores and token_type differ in length");
  }
  std::vector<SpmPiece> pieces;
  pieces.reserve(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    if (types[i] < 1 || types[i] > 6 || texts[i].size() > SpmLimits::kMaxPieceBytes ||
        std::isnan(scores[i]) || !IsValidUtf8(texts[i])) {
      return Error(ErrorCode::kCorrupt, "tokenizer.ggml: token " + std::to_string(i) + " is bad");
    }
    pieces.push_back({std::string(texts[i]), scores[i], static_cast<PieceType>(types[i])});
  }
  return pieces;
}

Result<LoadedTokenizer> LoadGgufTokenizer(const std::string& path) {
  const GgufFile file = TRY(GgufFile::Open(path));
  LoadedTokenizer loaded;
  loaded.source = path;
  loaded.tokenizer = TRY(ReadTokenizer(file).WithContext(path));
  const auto size = static_cast<size_t>(loaded.tokenizer->vocab_size());
  for (const char* name : {"eot_token_id", "eom_token_id"}) {
    const int32_t id = TRY(ReadGgufTokenId(file, name, -1, size));
    if (id >= 0) loaded.stop_tokens.push_back(id);
  }
  FinishStopTokens(loaded);
  return loaded;
}

}  // namespace skerry::engine::internal
