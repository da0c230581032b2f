// Text to token ids and back, as everything above sees it. Text of a request never turns into a
// control or added token: what a stranger writes cannot pretend to be the structure of a prompt.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/tokenizer/added_tokens.h"

namespace skerry::engine {

// Immutable once it is in use, then thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Ids of `text` on its own, without begin and end tokens, with the tokenizer's own leading-space
  // rule. Bytes that are not UTF-8 count as U+FFFD. Time O(n log n) in the worst case.
  std::vector<TokenId> Encode(std::string_view text) const { return EncodeTrusted(text, {}); }

  // The same, where added tokens are found inside the ranges of `trusted` (sorted, neighbours
  // merged), as AddedTokens::Split says; what lies between two of them is encoded as one text.
  std::vector<TokenId> EncodeTrusted(std::string_view text,
                                     std::span<const TextRange> trusted) const;

  // The fewest ids that Encode can give for any text of so many bytes: what is certainly too long
  // need not be encoded. 0 where nothing is certain.
  virtual size_t LeastTokens(size_t text_bytes) const = 0;

  virtual int32_t vocab_size() const = 0;
  // For a model that knows only `vocab_size` tokens: forgets added tokens beyond those, which
  // checkpoints of one family share with larger models. kInvalidArgument when ordinary text may
  // become a token that the model does not know. Before anything else uses the tokenizer.
  virtual Result<void> LimitTo(int32_t vocab_size);
  // The id of a control or added token, e.g. "[INST]"; nullopt for unknown names and for ordinary
  // pieces.
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
  // Whether it wants the end token behind one.
  virtual bool add_eos() const { return false; }
  // Whether Encode puts a space before each text, which decoding takes away again.
  virtual bool adds_leading_space() const = 0;

 protected:
  // EncodeTrusted for valid UTF-8; ranges begin and end between characters.
  virtual std::vector<TokenId> EncodeValid(std::string_view text,
                                           std::span<const TextRange> trusted) const = 0;
};

// A part of a prompt, and whether the operator or the checkpoint wrote it (a chat template) or a
// request did.
struct TextPart {
  std::string_view text;
  bool trusted = false;
};

// Ids of the parts as the one text they make, without begin and end tokens: control and added
// tokens are recognised only where they lie wholly inside trusted text (parts side by side count as
// one), and what lies between two of them is encoded as one text across the borders of parts.
std::vector<TokenId> EncodeParts(const Tokenizer& tokenizer, std::span<const TextPart> parts);

// No more than the ids that EncodeParts would give, known without encoding.
size_t LeastTokens(const Tokenizer& tokenizer, std::span<const TextPart> parts);

// Encode for text of the operator: everything is trusted, and the begin and end tokens are added
// that the checkpoint wants around a plain prompt. Never for text of a request.
std::vector<TokenId> EncodeWithControl(const Tokenizer& tokenizer, std::string_view text);

}  // namespace skerry::engine
