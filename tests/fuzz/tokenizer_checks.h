// What must hold for every tokenizer that was accepted, whatever its file says.
#pragma once

#include <cstdlib>
#include <string_view>

#include "engine/tokenizer/detokenizer.h"
#include "engine/tokenizer/tokenizer.h"

namespace skerry::engine {

inline void CheckTokenizer(const Tokenizer& tokenizer) {
  constexpr std::string_view kTexts[] = {"",
                                         "Hello, it's 12345\n\n  x",
                                         "\xC3\xA4\xE4\xB8\xAD\xF0\x9F\xA6\x99 e\xCC\x81",
                                         "aaaaaaaaaaaaaaaaaaaaaaaaab",
                                         "<s>[INST] \xFF\xFE<0x0A>\xE2\x96\x81 </s>",
                                         "AB ab  \t\r\n/"};
  for (const std::string_view text : kTexts) {
    const std::vector<TokenId> ids = tokenizer.Encode(text);
    if (ids.size() < tokenizer.LeastTokens(text.size())) abort();
    for (const TokenId id : ids) {
      if (id < 0 || id >= tokenizer.vocab_size()) abort();
    }
    for (const TokenId id : EncodeWithControl(tokenizer, text)) {
      if (id < 0 || id >= tokenizer.vocab_size()) abort();
    }
    (void)Decode(tokenizer, ids, true);
  }
  for (TokenId id = -1; id <= tokenizer.vocab_size() && id < 2000; ++id) {
    if (tokenizer.IsControl(id) && !tokenizer.TokenBytes(id).empty()) abort();
    (void)tokenizer.FindControl(tokenizer.TokenName(id));
  }
}

}  // namespace skerry::engine
