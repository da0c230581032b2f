#include "engine/chat/prompt.h"

namespace skerry::engine {
namespace {

std::vector<TextPart> PartsOf(const Segment& segment) {
  std::vector<TextPart> parts;
  parts.reserve(segment.parts.size());
  for (const PromptPart& part : segment.parts) parts.push_back({part.text, part.trusted});
  return parts;
}

}  // namespace

std::vector<TokenId> EncodePrompt(const Tokenizer& tokenizer, const Prompt& prompt) {
  std::vector<TokenId> ids;
  for (const Segment& segment : prompt) {
    if (segment.control) {
      ids.push_back(*segment.control);
      continue;
    }
    const std::vector<TokenId> part = EncodeParts(tokenizer, PartsOf(segment));
    ids.insert(ids.end(), part.begin(), part.end());
  }
  return ids;
}

size_t LeastTokens(const Tokenizer& tokenizer, const Prompt& prompt) {
  size_t tokens = 0;
  for (const Segment& segment : prompt) {
    tokens += segment.control ? 1 : LeastTokens(tokenizer, PartsOf(segment));
  }
  return tokens;
}

std::string ShowPrompt(const Tokenizer& tokenizer, const Prompt& prompt) {
  std::string text;
  for (const Segment& segment : prompt) {
    if (segment.control) text += tokenizer.TokenName(*segment.control);
    for (const PromptPart& part : segment.parts) text += part.text;
  }
  return text;
}

}  // namespace skerry::engine
