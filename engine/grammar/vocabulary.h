// A model's tokens by their bytes: what masks are computed over. Made once per model.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/tokenizer/tokenizer.h"

namespace skerry::engine {

namespace internal {

// Tokens in the order of their bytes, as the nodes of a trie from left to right: what begins with
// the same bytes lies together, and is passed over at once where these bytes are impossible.
struct TokenTrie {
  static constexpr uint32_t kNoToken = (1 << 24) - 1;
  static constexpr size_t kMaxTokenBytes = 255;

  struct Node {
    uint32_t byte : 8;
    uint32_t n_nodes : 24;  // of the tree below, this one included
    uint32_t depth : 8;     // bytes before this one
    uint32_t token : 24;    // that ends here
  };
  std::vector<Node> nodes;
};

// Bytes of characters that a slice is made of: whole ones, in valid UTF-8.
struct SliceChars {
  std::array<bool, 128> ascii{};
  bool others = false;  // all beyond ASCII
};

// The tokens that consist of certain characters. Where any text of such characters may come, they
// are allowed together, and only the other tokens must be looked at one by one.
struct TokenSlice {
  static constexpr size_t kMaxChars = 32;  // longer tokens are among the others

  SliceChars chars;
  std::vector<std::vector<uint32_t>> up_to;  // by number of characters: bits of the tokens
  TokenTrie others;
};

}  // namespace internal

// Immutable, thread-safe.
class TokenVocabulary {
 public:
  // `stop_tokens` end an answer. `n_tokens`: how many logits the model has, at least the
  // tokenizer's own number; those beyond it are never allowed. kInvalidArgument for more than 2^23.
  static Result<TokenVocabulary> Create(const Tokenizer& tokenizer,
                                        std::span<const TokenId> stop_tokens, int32_t n_tokens);

  int32_t n_tokens() const { return n_tokens_; }
  // 32-bit words of a mask: token i is bit i % 32 of word i / 32.
  size_t mask_words() const { return (static_cast<size_t>(n_tokens_) + 31) / 32; }
  const std::vector<TokenId>& stop_tokens() const { return stop_tokens_; }
  bool IsStop(TokenId token) const;
  // What a grammar sees of a token: its bytes; for a control token ControlText of its name; nothing
  // for stop tokens, and for those longer than 255 bytes or with bytes that UTF-8 never has and
  // that control tokens are spelled with, which are never allowed.
  std::string_view Bytes(TokenId token) const;
  bool adds_leading_space() const { return adds_leading_space_; }

  const internal::TokenTrie& trie() const { return trie_; }
  const std::vector<internal::TokenSlice>& slices() const { return slices_; }
  // Adds to `mask` the tokens that have the same bytes as one that is in it and in the trie.
  void AddTwins(std::span<uint32_t> mask) const;

 private:
  TokenVocabulary() = default;
  void BuildTries();

  int32_t n_tokens_ = 0;
  bool adds_leading_space_ = false;
  std::vector<TokenId> stop_tokens_;  // sorted
  std::string bytes_;                 // of all tokens
  std::vector<uint32_t> starts_;      // [n_tokens + 1], in bytes_
  internal::TokenTrie trie_;
  std::vector<internal::TokenSlice> slices_;
  struct Twin {
    uint32_t token = 0;
    uint32_t listed = 0;  // of the same bytes, in the trie
  };
  std::vector<Twin> twins_;
};

// How a grammar spells a control token, where it wants one: a text that no other token has.
std::string ControlText(std::string_view name);

}  // namespace skerry::engine
