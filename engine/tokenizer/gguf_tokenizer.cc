// The SentencePiece vocabulary inside a GGUF file.
#include <algorithm>
#include <cmath>

#include "engine/formats/gguf.h"
#include "engine/tokenizer/internal/load_parts.h"
#include "engine/tokenizer/spm_model.h"
#include "engine/tokenizer/spm_tokenizer.h"

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";

std::string Key(std::string_view name) { return std::string(kPrefix) + std::string(name); }

Result<void> CheckKind(const GgufFile& file) {
  if (!file.Has(Key("model"))) {
    return Error(ErrorCode::kNotFound, "the GGUF file has no tokenizer");
  }
  const std::string_view kind = TRY(file.GetString(Key("model")));
  if (std::ranges::find(kGgufTokenizers, kind) == std::end(kGgufTokenizers)) {
    return Error(ErrorCode::kInvalidArgument,
                 "the GGUF file has a tokenizer of the kind '" + std::string(kind.substr(0, 64)) +
                     "'; only 'llama' (SentencePiece BPE) is supported");
  }
  if (file.Has(Key("precompiled_charsmap"))) {
    return Error(ErrorCode::kInvalidArgument,
                 "the GGUF file's tokenizer normalises text (precompiled_charsmap); only identity "
                 "is supported");
  }
  return {};
}

Result<std::vector<SpmPiece>> ReadPieces(const GgufFile& file) {
  const std::vector<std::string_view> texts = TRY(file.GetStrings(Key("tokens")));
  const std::vector<float> scores = TRY(file.GetFloats(Key("scores")));
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
        std::isnan(scores[i])) {
      return Error(ErrorCode::kCorrupt, "tokenizer.ggml: token " + std::to_string(i) + " is bad");
    }
    pieces.push_back({std::string(texts[i]), scores[i], static_cast<PieceType>(types[i])});
  }
  return pieces;
}

// An id of the metadata; `fallback` when absent, -1 when outside the vocabulary.
Result<int32_t> ReadId(const GgufFile& file, std::string_view name, int64_t fallback,
                       size_t vocab_size) {
  const int64_t id = TRY(file.GetIntOr(Key(name), fallback));
  if (id < 0 || id >= static_cast<int64_t>(vocab_size)) return -1;
  return static_cast<int32_t>(id);
}

}  // namespace

Result<LoadedTokenizer> LoadGgufTokenizer(const std::string& path) {
  const GgufFile file = TRY(GgufFile::Open(path));
  TRY(CheckKind(file).WithContext(path));
  SpmModel model;
  model.pieces = TRY(ReadPieces(file).WithContext(path));
  model.byte_fallback = true;  // converters write 'llama' only for such vocabularies
  model.add_dummy_prefix = TRY(file.GetBoolOr(Key("add_space_prefix"), true));
  model.remove_extra_whitespaces = TRY(file.GetBoolOr(Key("remove_extra_whitespaces"), false));
  const size_t size = model.pieces.size();
  model.bos_id = TRY(ReadId(file, "bos_token_id", 1, size));
  model.eos_id = TRY(ReadId(file, "eos_token_id", 2, size));
  model.unk_id = TRY(ReadId(file, "unknown_token_id", 0, size));
  LoadedTokenizer loaded;
  loaded.source = path;
  for (const char* name : {"eot_token_id", "eom_token_id"}) {
    const int32_t id = TRY(ReadId(file, name, -1, size));
    if (id >= 0) loaded.stop_tokens.push_back(id);
  }
  const bool add_bos = TRY(file.GetBoolOr(Key("add_bos_token"), true));
  const std::string_view chat_template = TRY(file.GetStringOr("tokenizer.chat_template", ""));
  loaded.chat_template = std::string(chat_template);
  loaded.tokenizer = TRY(SpmTokenizer::Create(std::move(model), add_bos).WithContext(path));
  FinishStopTokens(loaded);
  return loaded;
}

}  // namespace skerry::engine::internal
