// Byte pair encoding: of all pairs of neighbours the one with the lowest rank is joined, the
// leftmost of equals, until no pair has a rank. Over bytes or over characters.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "appliance/base/result.h"
#include "engine/tokenizer/word_model.h"

namespace skerry::engine {

struct BpeMerge {
  TokenId left = 0;
  TokenId right = 0;
  TokenId joined = 0;
  uint32_t rank = 0;
};

struct BpeOptions {
  bool over_bytes = true;          // a word begins as its bytes, not as its characters
  bool whole_words_first = false;  // a word that is a token is that token, whatever the ranks say
  bool byte_fallback = false;      // over characters: those that are no token become "<0x0A>" bytes
  std::optional<TokenId> unknown;  // else they become this; without it they vanish
  bool fuse_unknown = false;       // neighbours that are unknown are one token
};

class BpeModel final : public WordModel {
 public:
  // `tokens`: text (or bytes) per id; empty for ids that text never becomes. Of two ids with one
  // text the first counts. kCorrupt when a merge names an id outside of them.
  static Result<std::unique_ptr<BpeModel>> Create(std::vector<std::string> tokens,
                                                  const std::vector<BpeMerge>& merges,
                                                  BpeOptions options);

  void Encode(std::string_view word, WordCache& cache, std::vector<TokenId>& ids) const override;
  size_t MaxBytesPerToken() const override;

 private:
  struct Pair {
    uint64_t key = kNoKey;
    uint32_t rank = 0;
    TokenId joined = 0;
  };
  static constexpr uint64_t kNoKey = ~uint64_t{0};
  static constexpr uint32_t kNoRank = ~uint32_t{0};
  static constexpr TokenId kNoToken = -1;

  explicit BpeModel(BpeOptions options) : options_(options) {}
  void IndexTokens();
  Result<void> IndexMerges(const std::vector<BpeMerge>& merges);

  const Pair* Find(TokenId left, TokenId right) const;
  TokenId FindToken(std::string_view text) const;
  size_t PartEnd(std::string_view word, size_t start) const;
  void EncodePart(std::string_view part, std::vector<TokenId>& ids) const;
  void BeginByteIds(std::string_view part, std::vector<TokenId>& symbols) const;
  void BeginCharIds(std::string_view part, std::vector<TokenId>& symbols) const;
  void MergeShort(std::vector<TokenId>& symbols) const;
  void MergeLong(std::vector<TokenId>& symbols) const;

  BpeOptions options_;
  std::vector<std::string> tokens_;
  std::unordered_map<std::string_view, TokenId> ids_;  // single ones, or all: whole_words_first
  std::array<TokenId, 256> byte_ids_{};                // of one byte, or of "<0x0A>"
  std::vector<TokenId> char_ids_;                      // over characters: of the first code points
  std::vector<Pair> pairs_;                            // open addressing, a power of two
  size_t max_token_bytes_ = 1;
  // Over characters: those that stand before a U+2581 inside a token. Behind any other character
  // nothing is joined across the beginning of such a space, and the word may be cut there.
  std::unordered_set<uint32_t> joins_space_;
};

}  // namespace skerry::engine
