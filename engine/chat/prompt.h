// A conversation written for a model, before it is encoded: who wrote which part is known, so that
// text of a request is always encoded as plain text and structure is always a control token.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/tokenizer/tokenizer.h"

namespace skerry::engine {

struct PromptPart {
  std::string text;
  bool trusted = false;  // the template's own
};

// One control token, or text that is encoded on its own. Names of control tokens become these
// tokens in trusted parts only.
struct Segment {
  std::optional<TokenId> control;
  std::vector<PromptPart> parts;
};

using Prompt = std::vector<Segment>;

std::vector<TokenId> EncodePrompt(const Tokenizer& tokenizer, const Prompt& prompt);

// No more than the tokens that EncodePrompt would give, known without encoding.
size_t LeastTokens(const Tokenizer& tokenizer, const Prompt& prompt);

// The text with control tokens by their names, for people and tests.
std::string ShowPrompt(const Tokenizer& tokenizer, const Prompt& prompt);

}  // namespace skerry::engine
