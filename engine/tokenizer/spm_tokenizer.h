// SentencePiece BPE: merges the pair of neighbours with the best score until none is left. The same
// ids as google/sentencepiece 0.2 (src/bpe_model.cc, src/normalizer.cc) for models that parse.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "appliance/base/result.h"
#include "engine/tokenizer/spm_model.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/tokenizer/word_cache.h"

namespace skerry::engine {

class SpmTokenizer final : public Tokenizer {
 public:
  // kCorrupt when the model contradicts itself (byte fallback without all 256 byte pieces, ...).
  // Pieces of type 'unused' are never the result of Encode.
  static Result<std::unique_ptr<SpmTokenizer>> Create(SpmModel model, bool add_bos);

  size_t LeastTokens(size_t text_bytes) const override;
  int32_t vocab_size() const override { return static_cast<int32_t>(model_.pieces.size()); }
  std::optional<TokenId> FindControl(std::string_view name) const override;
  std::string_view TokenName(TokenId id) const override;
  std::string_view TokenBytes(TokenId id) const override;
  bool IsControl(TokenId id) const override;
  std::optional<TokenId> bos() const override { return AsOptional(model_.bos_id); }
  std::optional<TokenId> eos() const override { return AsOptional(model_.eos_id); }
  bool add_bos() const override { return add_bos_; }
  bool adds_leading_space() const override { return model_.add_dummy_prefix; }

 protected:
  std::vector<TokenId> EncodeValid(std::string_view text,
                                   std::span<const TextRange> trusted) const override;

 private:
  struct Merge;
  struct Symbol;

  SpmTokenizer(SpmModel model, bool add_bos) : model_(std::move(model)), add_bos_(add_bos) {}
  Result<void> Index();
  static std::optional<TokenId> AsOptional(int32_t id) {
    return id < 0 ? std::nullopt : std::optional<TokenId>(id);
  }

  std::string Normalize(std::string_view text, bool prefix) const;
  // One stretch of text between added tokens; `prefix`: with a space before it.
  void EncodeRun(std::string_view text, bool prefix, WordCache& cache,
                 std::vector<TokenId>& ids) const;
  void EncodePart(std::string_view part, std::vector<TokenId>& ids) const;
  // Whether the ids of a word depend on nothing else: unknown neighbours are one token.
  bool caches_words() const { return splits_at_spaces_ && model_.byte_fallback; }
  size_t PartEnd(std::string_view text, size_t start) const;
  size_t MatchUserDefined(std::string_view text) const;  // bytes; 0: none
  std::vector<Symbol> Split(std::string_view text) const;
  void MergeAll(std::string_view text, std::vector<Symbol>& symbols) const;
  TokenId FindPiece(std::string_view text) const;  // -1: none
  void AppendIds(std::string_view text, TokenId piece, std::vector<TokenId>& ids) const;

  SpmModel model_;
  bool add_bos_;
  size_t max_piece_bytes_ = 0;
  size_t max_user_defined_bytes_ = 0;
  std::array<bool, 256> begins_user_defined_{};  // by first byte
  bool splits_at_spaces_ = true;                 // no piece has a space behind another character
  std::vector<std::string> bytes_;               // per token: what it adds to a text
  std::unordered_map<std::string_view, TokenId> pieces_;        // normal and plain user-defined
  std::unordered_map<std::string_view, TokenId> user_defined_;  // those that are ordinary text
  AddedTokens added_;              // control tokens, and user-defined ones that may be structure
  std::vector<TokenId> byte_ids_;  // 256 entries or none
  mutable WordCachePool caches_;   // thread-safe
};

}  // namespace skerry::engine
