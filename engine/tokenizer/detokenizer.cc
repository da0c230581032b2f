#include "engine/tokenizer/detokenizer.h"

#include "engine/tokenizer/utf8.h"

namespace skerry::engine {

std::string Detokenizer::Push(TokenId token) {
  std::string_view bytes = tokenizer_->TokenBytes(token);
  if (bytes.empty()) return "";
  if (strip_) {
    strip_ = false;
    if (bytes.front() == ' ') bytes.remove_prefix(1);
  }
  pending_ += bytes;
  std::string out;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const Utf8Step step = NextUtf8(rest);
    if (step.kind == Utf8Kind::kIncomplete) break;
    out += step.kind == Utf8Kind::kComplete ? rest.substr(0, step.length) : kReplacement;
    rest.remove_prefix(step.length);
  }
  pending_ = std::string(rest);
  return out;
}

std::string Detokenizer::Finish() {
  if (pending_.empty()) return "";
  pending_.clear();
  return std::string(kReplacement);
}

std::string Decode(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens,
                   bool strip_leading_space) {
  Detokenizer decoder(tokenizer, strip_leading_space);
  std::string text;
  for (const TokenId token : tokens) text += decoder.Push(token);
  return text + decoder.Finish();
}

}  // namespace skerry::engine
