// SentencePiece's precompiled_charsmap: a double-array trie of what is replaced (its format:
// github.com/s-yata/darts-clone) and the replacements behind it. Read with a bound on everything.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"

namespace skerry::engine {

// Immutable, thread-safe.
class CharsMap {
 public:
  static constexpr size_t kMaxBytes = 16 << 20;

  // kCorrupt when the bytes contradict themselves. Replacements that are not UTF-8 are refused.
  static Result<CharsMap> Parse(std::string_view bytes);

  struct Match {
    size_t length = 0;  // bytes replaced, at least one
    std::string_view replacement;
  };
  // What begins `text`: the shortest or the longest.
  std::optional<Match> Shortest(std::string_view text) const { return Find(text, false); }
  std::optional<Match> Longest(std::string_view text) const { return Find(text, true); }

 private:
  std::optional<Match> Find(std::string_view text, bool longest) const;
  std::string_view Replacement(uint32_t offset) const;

  std::vector<uint32_t> units_;
  std::string replacements_;  // each ends with a NUL
};

}  // namespace skerry::engine
