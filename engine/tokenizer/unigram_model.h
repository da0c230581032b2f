// SentencePiece's unigram model: of all ways to spell a word the one with the best sum of scores
// (Viterbi), as sentencepiece and Hugging Face's library find it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/tokenizer/internal/byte_trie.h"
#include "engine/tokenizer/word_model.h"

namespace skerry::engine {

struct UnigramPiece {
  std::string text;
  double score = 0;
  bool used =
      true;  // false: control, unknown, byte and unused pieces, which no text is spelled with
  // A piece that is taken whenever it is there: its score is made up.
  bool user_defined = false;
};

class UnigramModel final : public WordModel {
 public:
  // `unknown` stands for what no piece spells; with `byte_fallback` its bytes do. kCorrupt when
  // there is neither, or when byte pieces are missing.
  static Result<std::unique_ptr<UnigramModel>> Create(std::vector<UnigramPiece> pieces,
                                                      std::optional<TokenId> unknown,
                                                      bool byte_fallback);

  void Encode(std::string_view word, WordCache& cache, std::vector<TokenId>& ids) const override;
  size_t MaxBytesPerToken() const override { return byte_fallback_ ? max_piece_bytes_ : 0; }

 private:
  static constexpr TokenId kNoToken = -1;

  UnigramModel() = default;
  void EncodeWord(std::string_view word, std::vector<TokenId>& ids) const;
  void AppendUnknown(std::string_view text, bool behind_unknown, std::vector<TokenId>& ids) const;

  internal::ByteTrie trie_;
  std::vector<double> scores_;
  double unknown_score_ = 0;
  TokenId unknown_ = kNoToken;
  bool byte_fallback_ = false;
  std::array<TokenId, 256> byte_ids_{};
  size_t max_piece_bytes_ = 1;
};

}  // namespace skerry::engine
