// A tokenizer with the tokens that a test wants.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/grammar/matcher.h"
#include "engine/grammar/vocabulary.h"

namespace skerry::engine {

class TestTokenizer : public Tokenizer {
 public:
  // Control tokens are spelled "<|name|>".
  explicit TestTokenizer(std::vector<std::string> tokens, bool leading_space = false)
      : tokens_(std::move(tokens)), leading_space_(leading_space) {}

  size_t LeastTokens(size_t) const override { return 0; }
  int32_t vocab_size() const override { return static_cast<int32_t>(tokens_.size()); }
  std::optional<TokenId> FindControl(std::string_view name) const override {
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i] == name) return static_cast<TokenId>(i);
    }
    return std::nullopt;
  }
  std::string_view TokenName(TokenId id) const override {
    const auto at = static_cast<size_t>(id);
    return at < tokens_.size() ? std::string_view(tokens_[at]) : std::string_view();
  }
  std::string_view TokenBytes(TokenId id) const override {
    return IsControl(id) ? std::string_view() : TokenName(id);
  }
  bool IsControl(TokenId id) const override { return TokenName(id).starts_with("<|"); }
  std::optional<TokenId> bos() const override { return std::nullopt; }
  std::optional<TokenId> eos() const override { return 0; }
  bool add_bos() const override { return false; }
  bool adds_leading_space() const override { return leading_space_; }

 protected:
  std::vector<TokenId> EncodeValid(std::string_view, std::span<const TextRange>) const override {
    return {};
  }

 private:
  std::vector<std::string> tokens_;
  bool leading_space_;
};

// Token 0 ends a text.
inline std::shared_ptr<const TokenVocabulary> MakeVocabulary(std::vector<std::string> tokens,
                                                             bool leading_space = false) {
  tokens.insert(tokens.begin(), "<|end|>");
  const TestTokenizer tokenizer(std::move(tokens), leading_space);
  const std::vector<TokenId> stops = {0};
  return std::make_shared<const TokenVocabulary>(
      TokenVocabulary::Create(tokenizer, stops, tokenizer.vocab_size()).value());
}

// Every byte is a token: id = byte + 1; then `more`.
inline std::shared_ptr<const TokenVocabulary> MakeByteVocabulary(
    std::vector<std::string> more = {}) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  tokens.insert(tokens.end(), more.begin(), more.end());
  return MakeVocabulary(std::move(tokens));
}

inline std::vector<uint32_t> MaskOf(Matcher& matcher, const TokenVocabulary& vocabulary) {
  std::vector<uint32_t> words(vocabulary.mask_words());
  (void)matcher.FillMask(words);
  return words;
}

inline bool IsAllowed(const std::vector<uint32_t>& mask, TokenId token) {
  return mask[static_cast<size_t>(token) / 32] >> (token % 32) & 1;
}

// Whether the whole text is one of the grammar's.
inline bool Matches(const Grammar& grammar, std::string_view text) {
  static const auto vocabulary = MakeByteVocabulary();
  Matcher matcher(std::make_shared<Constraint>(grammar, vocabulary));
  return matcher.AcceptBytes(text) && matcher.CanEnd();
}

}  // namespace skerry::engine
