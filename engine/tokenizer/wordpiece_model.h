// BERT's WordPiece: the longest token that begins a word, then the longest continuation, and so on;
// one unknown token for a word that cannot be spelled so.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/tokenizer/internal/byte_trie.h"
#include "engine/tokenizer/word_model.h"

namespace skerry::engine {

struct WordPieceVocabulary {
  std::vector<std::pair<std::string, TokenId>> beginnings;
  std::vector<std::pair<std::string, TokenId>> continuations;  // without their mark ("##")
  TokenId unknown = 0;
  size_t max_word_chars = 100;  // longer words are unknown
};

class WordPieceModel final : public WordModel {
 public:
  explicit WordPieceModel(const WordPieceVocabulary& vocabulary);

  void Encode(std::string_view word, WordCache& cache, std::vector<TokenId>& ids) const override;
  size_t MaxBytesPerToken() const override { return 0; }  // the unknown token stands for any word

 private:
  internal::ByteTrie beginnings_;
  internal::ByteTrie continuations_;
  TokenId unknown_;
  size_t max_word_chars_;
};

}  // namespace skerry::engine
