// Tokens to text while they are generated: whole characters only, so that each piece can be sent at
// once.
#pragma once

#include <string>

#include "engine/tokenizer/tokenizer.h"

namespace skerry::engine {

// One sequence's decoder. One thread. The tokenizer must outlive it.
class Detokenizer {
 public:
  // `strip_leading_space`: the text begins a segment of its own (a chat answer), so the space that
  // encoding such a segment puts in front is taken away.
  Detokenizer(const Tokenizer& tokenizer, bool strip_leading_space)
      : tokenizer_(&tokenizer), strip_(strip_leading_space && tokenizer.adds_leading_space()) {}

  // Text that is certain after `token`: valid UTF-8, possibly empty. The start of a character is
  // held back until its end comes; what can never become one is U+FFFD.
  std::string Push(TokenId token);
  // The rest: U+FFFD when a character was begun and not ended.
  std::string Finish();

 private:
  const Tokenizer* tokenizer_;
  bool strip_;
  std::string pending_;  // at most three bytes
};

// All of `tokens` at once.
std::string Decode(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens,
                   bool strip_leading_space);

}  // namespace skerry::engine
