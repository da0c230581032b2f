// Regular expressions for cutting text into words: one notation (see internal/regex_program.h), the
// leftmost match, alternatives in order, as backtracking programs have it. One match costs no more
// than a constant for each character that it looks at, whatever the pattern.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"

namespace skerry::engine {

namespace internal {
class RegexMachine;
}

// Immutable, thread-safe.
class Regex {
 public:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  // kInvalidArgument naming what is not supported, kExhausted for patterns that are too large.
  static Result<Regex> Create(std::string_view pattern);
  // Finds exactly `text`, which is not empty.
  static Result<Regex> CreateLiteral(std::string_view text);

  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  // The end of the match that begins at `at`; kNone when there is none or it is empty. `text` is
  // valid UTF-8 and `at` the beginning of a character.
  size_t MatchAt(std::string_view text, size_t at) const {
    return table_.empty() ? MatchByThreads(text, at) : MatchByTable(text, at);
  }

  // The same by two ways: tests hold them against each other. The table needs has_table().
  size_t MatchByTable(std::string_view text, size_t at) const;
  size_t MatchByThreads(std::string_view text, size_t at) const;
  bool has_table() const { return !table_.empty(); }

  // Cuts `text` into matches and what lies between them; each(start, end, is_match) in order.
  template <typename Each>
  void ForEach(std::string_view text, Each each) const {
    size_t done = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t end = MatchAt(text, at);
      if (end == kNone) {
        do ++at;
        while (at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80);
        continue;
      }
      if (at > done) each(done, at, false);
      each(at, end, true);
      done = at = end;
    }
    if (done < text.size()) each(done, text.size(), false);
  }

 private:
  explicit Regex(std::unique_ptr<internal::RegexMachine> machine);

  std::unique_ptr<internal::RegexMachine> machine_;
  std::array<uint8_t, 128> ascii_{};  // character classes
  uint32_t n_classes_ = 0;            // the end of the text counts as one
  // [states, n_classes] next state << 1 | whether a match ends before this character. State 0 leads
  // nowhere, state 1 is the start. Empty when the pattern has too many states.
  std::vector<uint32_t> table_;
};

}  // namespace skerry::engine
