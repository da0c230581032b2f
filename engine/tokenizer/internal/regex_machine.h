// Runs a regular expression's program one character class at a time.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/tokenizer/internal/regex_program.h"

namespace skerry::engine::internal {

// Characters that a program cannot tell apart have one class.
class RegexAlphabet {
 public:
  static constexpr size_t kMaxClasses = 255;  // without the end of the text

  // nullopt with more than kMaxClasses.
  static std::optional<RegexAlphabet> Create(const std::vector<CharSet>& sets);

  uint8_t ClassOf(uint32_t c) const { return blocks_[block_of_[c >> 8]][c & 0xFF]; }
  uint32_t n_classes() const { return n_classes_; }  // the end of the text not among them
  // Whether the characters of class `character_class` are in set `set`.
  bool IsIn(uint32_t character_class, uint32_t set) const { return members_[set][character_class]; }

 private:
  std::vector<uint16_t> block_of_;  // 256 code points each
  std::vector<std::array<uint8_t, 256>> blocks_;
  std::vector<std::bitset<kMaxClasses + 1>> members_;
  uint32_t n_classes_ = 0;
};

// Threads by rank, each at an instruction it has not carried out yet.
using RegexThreads = std::vector<uint32_t>;

// Immutable, thread-safe.
class RegexMachine {
 public:
  RegexMachine(RegexProgram program, RegexAlphabet alphabet)
      : program_(std::move(program)), alphabet_(std::move(alphabet)) {}

  const RegexAlphabet& alphabet() const { return alphabet_; }
  RegexThreads Start() const { return {program_.start}; }
  uint32_t EndClass() const { return alphabet_.n_classes(); }

  // Working space of Step, one per caller.
  struct Space {
    std::vector<uint32_t> seen;    // by instruction: the step in which it was reached
    std::vector<uint32_t> queued;  // the same for `next`
    std::vector<uint32_t> stack;
    uint32_t step = 0;
  };

  // Lets `threads` take a character of the class (or the end). True when a thread has matched what
  // came before: those of lower rank are gone then.
  bool Step(const RegexThreads& threads, uint32_t character_class, RegexThreads& next,
            Space& space) const;

 private:
  RegexProgram program_;
  RegexAlphabet alphabet_;
};

}  // namespace skerry::engine::internal
