// Text to token ids and back, as everything above sees it. Text never turns into a control token:
// those are reached by name only, so that what a stranger writes cannot pretend to be the structure
// of a prompt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine {

using TokenId = int32_t;

// Immutable, thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Ids of `text` on its own, without begin and end tokens, with the tokenizer's own leading-space
  // rule. Bytes that are not UTF-8 count as U+FFFD. Time O(n log n) in the worst case.
  virtual std::vector<TokenId> Encode(std::string_view text) const = 0;

  // The fewest ids that Encode can give for any text of so many bytes: what is certainly too long
  // need not be encoded. 0 where nothing is certain.
  virtual size_t LeastTokens(size_t text_bytes) const = 0;

  virtual int32_t vocab_size() const = 0;
  // The id of a control token, e.g. "[INST]"; nullopt for unknown names and for ordinary pieces.
  virtual std::optional<TokenId> FindControl(std::string_view name) const = 0;
  // The token as the vocabulary spells it; empty for an id outside of it.
  virtual std::string_view TokenName(TokenId id) const = 0;
  // Bytes the token adds to a text: empty for control tokens and ids outside the vocabulary. May be
  // a part of a UTF-8 sequence.
  virtual std::string_view TokenBytes(TokenId id) const = 0;
  virtual bool IsControl(TokenId id) const = 0;
  virtual std::optional<TokenId> bos() const = 0;
  virtual std::optional<TokenId> eos() const = 0;
  // Whether the checkpoint wants the begin token before a plain prompt.
  virtual bool add_bos() const = 0;
  // Whether Encode puts a space before each text, which decoding takes away again.
  virtual bool adds_leading_space() const = 0;
};

// Encode for text of the operator, who may name control tokens in it: they become their ids, and
// the begin token is added when the checkpoint wants it. Never for text of a request.
std::vector<TokenId> EncodeWithControl(const Tokenizer& tokenizer, std::string_view text);

}  // namespace skerry::engine
