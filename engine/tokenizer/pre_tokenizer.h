// Cuts a text into words: the pre-tokenizers of tokenizer.json, one behind the other.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizer/internal/function_ref.h"
#include "engine/tokenizer/regex.h"

namespace skerry::engine {

// A part of a text. `first`: it begins the whole text that is encoded.
struct Piece {
  std::string_view text;
  bool first = false;
};

using PieceSink = internal::FunctionRef<void(const Piece&)>;

// Immutable, thread-safe. Pieces handed out are not empty and hold for the call only.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void Split(const Piece& piece, PieceSink out) const = 0;
  // Whether pieces have all bytes of the text, and maybe more.
  virtual bool KeepsAll() const { return true; }
};

// What becomes of a match: its own piece, a part of a neighbour, or nothing.
enum class SplitBehavior {
  kRemoved,
  kIsolated,
  kMergedWithPrevious,
  kMergedWithNext,
  kContiguous,  // neighbours of one kind are one piece
};

class SplitPreTokenizer final : public PreTokenizer {
 public:
  // `invert`: what lies between matches counts as the match.
  SplitPreTokenizer(Regex pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}
  void Split(const Piece& piece, PieceSink out) const override;
  bool KeepsAll() const override { return behavior_ != SplitBehavior::kRemoved; }

 private:
  Regex pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

// A space before a piece that begins with none.
class PrefixSpacePreTokenizer final : public PreTokenizer {
 public:
  void Split(const Piece& piece, PieceSink out) const override;
};

// Bytes as printable characters, for stages that look at them behind ByteLevel.
class ByteLevelPreTokenizer final : public PreTokenizer {
 public:
  void Split(const Piece& piece, PieceSink out) const override;
};

enum class PrefixScheme { kNever, kFirst, kAlways };

// Spaces become `replacement`, which is also put in front, and words begin with it.
class MetaspacePreTokenizer final : public PreTokenizer {
 public:
  // kInvalidArgument for an empty replacement.
  static Result<std::unique_ptr<MetaspacePreTokenizer>> Create(std::string replacement,
                                                               PrefixScheme scheme, bool split);
  void Split(const Piece& piece, PieceSink out) const override;

 private:
  MetaspacePreTokenizer(std::string replacement, PrefixScheme scheme,
                        std::optional<SplitPreTokenizer> words)
      : replacement_(std::move(replacement)), scheme_(scheme), words_(std::move(words)) {}

  std::string replacement_;
  PrefixScheme scheme_;
  std::optional<SplitPreTokenizer> words_;
};

class PreTokenizerSequence final : public PreTokenizer {
 public:
  explicit PreTokenizerSequence(std::vector<std::unique_ptr<PreTokenizer>> parts)
      : parts_(std::move(parts)) {}
  void Split(const Piece& piece, PieceSink out) const override { SplitFrom(0, piece, out); }
  bool KeepsAll() const override {
    for (const auto& part : parts_) {
      if (!part->KeepsAll()) return false;
    }
    return true;
  }

 private:
  void SplitFrom(size_t part, const Piece& piece, PieceSink out) const;

  std::vector<std::unique_ptr<PreTokenizer>> parts_;
};

// The pattern of GPT-2, which byte-level pre-tokenizers have built in.
inline constexpr std::string_view kGpt2Pattern =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
// Punctuation of Unicode and of ASCII, which has more.
inline constexpr std::string_view kPunctuationPattern = "[\\p{P}$+<=>^`|~]";

}  // namespace skerry::engine
