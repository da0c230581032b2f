// Tokens that are found in a text by their names before anything else happens to it: control tokens
// and what a checkpoint added to its vocabulary. Only text that somebody trusted wrote is searched,
// so that a request cannot imitate the structure of a prompt by spelling it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace skerry::engine {

using TokenId = int32_t;

struct AddedToken {
  std::string text;
  TokenId id = 0;
  bool strip_left = false;   // takes the white space before it away
  bool strip_right = false;  // and behind it
  bool whole_word = false;   // not where a letter, digit, mark or underscore touches it
  // Stands for ordinary text, not for structure: found in every text. See IsPlainName.
  bool plain = false;
};

// A part of a text, in bytes.
struct TextRange {
  size_t start = 0;
  size_t end = 0;
};

// Whether a token of this name is ordinary text to every model that has it: white space, or the tag
// of an HTML element. Vocabularies have such tokens for the sake of length.
bool IsPlainName(std::string_view name);

// Immutable, thread-safe.
class AddedTokens {
 public:
  AddedTokens() = default;
  // Of two tokens with one text the first counts; empty texts are left out.
  explicit AddedTokens(std::vector<AddedToken> tokens);

  bool empty() const { return tokens_.empty(); }
  std::optional<TokenId> Find(std::string_view name) const;
  // Those with ids below `limit`.
  AddedTokens Below(TokenId limit) const;

  // A part of a text: one added token, or (id -1) what lies between two of them. Parts are not
  // empty.
  struct Part {
    size_t start = 0;
    size_t end = 0;
    TokenId id = -1;
  };
  // Cuts `text` at its added tokens: the first from the left, the longest of those that begin
  // there. All but plain tokens must lie inside one range of `trusted`, which is sorted and has
  // neighbours merged. White space that a token takes away is in no part, whoever wrote it.
  std::vector<Part> Split(std::string_view text, std::span<const TextRange> trusted) const;

 private:
  struct Found {
    size_t length = 0;  // 0: nothing
    uint32_t token = 0;
  };
  void Insert(uint32_t token);
  Found LongestAt(std::string_view text, size_t at, size_t trusted_end) const;
  bool WordTouches(std::string_view text, size_t start, size_t end) const;

  std::vector<AddedToken> tokens_;
  // A trie: (node << 8 | byte) -> node. Node 0 is the root.
  std::unordered_map<uint64_t, uint32_t> edges_;
  std::vector<int64_t> token_of_node_ = {-1};
  std::array<bool, 256> begins_{};        // by first byte
  std::array<bool, 256> begins_plain_{};  // a plain token, by first byte
  bool has_plain_ = false;
};

}  // namespace skerry::engine
