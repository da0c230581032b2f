// The tokenizers of Hugging Face's library: added tokens are cut out, the rest is normalised, cut
// into words and each word given to a model. Everything but SentencePiece BPE is one of these,
// whatever file it came from.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/tokenizer/normalizer.h"
#include "engine/tokenizer/pre_tokenizer.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/tokenizer/word_cache.h"
#include "engine/tokenizer/word_model.h"

namespace skerry::engine {

struct TokenInfo {
  std::string name;   // as the vocabulary spells it
  std::string bytes;  // what it adds to a text
  bool control = false;
};

struct PipelineParts {
  std::vector<TokenInfo> tokens;  // by id
  // Those that text may become are below this; 0: all.
  size_t model_tokens = 0;
  std::vector<AddedToken> added;
  std::unique_ptr<Normalizer> normalizer;       // null: none
  std::unique_ptr<PreTokenizer> pre_tokenizer;  // null: the text is one word
  // Words arrive spelled in characters of ByteLevelChar and must be turned into bytes again.
  bool words_are_byte_level = false;
  std::unique_ptr<WordModel> model;
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  bool add_bos = false;
  bool add_eos = false;
  bool adds_leading_space = false;
};

class PipelineTokenizer final : public Tokenizer {
 public:
  static constexpr size_t kMaxTokens = 1 << 20;
  static constexpr size_t kMaxTokenBytes = 1 << 10;

  // kCorrupt when a token that is named lies outside of the vocabulary. Added tokens without flag
  // that are ordinary text (see IsPlainName) must have been marked as such.
  static Result<std::unique_ptr<PipelineTokenizer>> Create(PipelineParts parts);

  size_t LeastTokens(size_t text_bytes) const override;
  int32_t vocab_size() const override { return static_cast<int32_t>(parts_.tokens.size()); }
  Result<void> LimitTo(int32_t vocab_size) override;
  std::optional<TokenId> FindControl(std::string_view name) const override {
    return added_.Find(name);
  }
  std::string_view TokenName(TokenId id) const override;
  std::string_view TokenBytes(TokenId id) const override;
  bool IsControl(TokenId id) const override;
  std::optional<TokenId> bos() const override { return parts_.bos; }
  std::optional<TokenId> eos() const override { return parts_.eos; }
  bool add_bos() const override { return parts_.add_bos; }
  bool add_eos() const override { return parts_.add_eos; }
  bool adds_leading_space() const override { return parts_.adds_leading_space; }

 protected:
  std::vector<TokenId> EncodeValid(std::string_view text,
                                   std::span<const TextRange> trusted) const override;

 private:
  explicit PipelineTokenizer(PipelineParts parts);
  void EncodeRun(std::string_view text, bool first, WordCache& cache,
                 std::vector<TokenId>& ids) const;
  bool IsInside(TokenId id) const { return id >= 0 && id < vocab_size(); }

  PipelineParts parts_;
  AddedTokens added_;
  size_t least_divisor_ = 0;      // 0: LeastTokens knows nothing
  mutable WordCachePool caches_;  // thread-safe
};

}  // namespace skerry::engine
