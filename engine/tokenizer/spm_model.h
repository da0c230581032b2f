// What a SentencePiece model says, whatever file it came from, and the reader of `tokenizer.model`:
// a protobuf message (sentencepiece_model.proto of google/sentencepiece), read field by field with
// a bound on everything, without a protobuf library.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/tokenizer/added_tokens.h"

namespace skerry::engine {

struct SpmLimits {
  static constexpr size_t kMaxFileBytes = 64 << 20;
  static constexpr size_t kMaxPieces = 1 << 20;
  static constexpr size_t kMaxPieceBytes = 1 << 10;
};

// Numbers as in the format (and in GGUF's tokenizer.ggml.token_type).
enum class PieceType {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

struct SpmPiece {
  std::string text;  // U+2581 stands for a space; valid UTF-8
  float score = 0;
  PieceType type = PieceType::kNormal;
  // What tokenizer_config.json says beyond: it is an added token, whatever its type, and how it is
  // found (see AddedToken).
  bool added = false;
  bool strip_left = false;
  bool strip_right = false;
  bool whole_word = false;

  AddedToken AsAdded(TokenId id) const { return {text, id, strip_left, strip_right, whole_word}; }
};

enum class SpmKind { kBpe, kUnigram };

struct SpmModel {
  SpmKind kind = SpmKind::kBpe;
  std::vector<SpmPiece> pieces;
  std::string charsmap;  // precompiled_charsmap; empty: text stays as it is. Unigram only
  bool byte_fallback = false;
  bool add_dummy_prefix = true;
  // Whether text behind a control or added token gets the prefix too, not only the beginning of all
  // text ('legacy' of tokenizer_config.json; Mistral's own tokenizers and GGUF do so).
  bool prefix_behind_added_tokens = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  std::string unknown_surface = " \xE2\x81\x87 ";  // how an unknown token is shown: " U+2047 "
  int32_t unk_id = 0;
  int32_t bos_id = 1;  // -1: none
  int32_t eos_id = 2;  // -1: none
};

// kCorrupt with the offset for bytes that are not such a message; kInvalidArgument naming what was
// found for models of another kind (word, char) and for BPE with a normaliser other than identity;
// kExhausted beyond SpmLimits.
Result<SpmModel> ParseSpmModel(std::string_view bytes);

// "<0x0A>" -> 10; -1 for anything else.
int BytePieceValue(std::string_view text);

}  // namespace skerry::engine
