// What turns one word of a text, as the pre-tokenizer cut it, into ids.
#pragma once

#include <string_view>
#include <vector>

#include "engine/tokenizer/added_tokens.h"
#include "engine/tokenizer/word_cache.h"

namespace skerry::engine {

// Immutable, thread-safe.
class WordModel {
 public:
  virtual ~WordModel() = default;

  // Appends the ids of `word`. Time O(n log n) in the worst case.
  virtual void Encode(std::string_view word, WordCache& cache, std::vector<TokenId>& ids) const = 0;
  // No id stands for more bytes of a word than this; 0 when there is no such bound.
  virtual size_t MaxBytesPerToken() const = 0;
};

}  // namespace skerry::engine
