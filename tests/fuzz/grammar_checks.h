// What must hold for every grammar that was accepted, whatever its text says.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "engine/grammar/matcher.h"
#include "tests/engine/grammar/test_tokenizer.h"

namespace skerry::engine {

// Generates a text: tokens are chosen by `choices`. Masks must agree with Accept, and there is
// always something that may come.
inline void CheckGrammar(const Grammar& grammar, std::string_view choices) {
  static const auto vocabulary =
      MakeByteVocabulary({"{\"", "\": ", "\", \"", "\"}", "[1,", "]}", "aa", "00", "\xC3\xA4"});
  const auto constraint = std::make_shared<Constraint>(grammar, vocabulary, /*max_bytes=*/4 << 20);
  Matcher matcher(constraint);
  std::vector<uint32_t> mask(vocabulary->mask_words());
  for (size_t step = 0; step < 60 && !matcher.Ended(); ++step) {
    if (!matcher.FillMask(mask)) abort();
    if (IsAllowed(mask, 0) != matcher.CanEnd()) abort();
    const auto choice =
        static_cast<uint8_t>(choices.empty() ? step * 37 : choices[step * 7 % choices.size()]);
    TokenId token = static_cast<TokenId>(choice % vocabulary->n_tokens());
    if (!IsAllowed(mask, token) && matcher.Accept(token)) abort();
    while (!IsAllowed(mask, token)) token = (token + 1) % vocabulary->n_tokens();
    if (!matcher.Accept(token) || !matcher.Rollback(1) || !matcher.Accept(token)) abort();
  }
  (void)matcher.Forced(32);
}

}  // namespace skerry::engine
