// Which tokens of a vocabulary may follow a configuration: computed once and remembered.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/grammar/internal/automaton.h"
#include "engine/grammar/vocabulary.h"

namespace skerry::engine::internal {

// Tokens that may come next, without stop tokens: bits of a slice, and more.
struct TokenMask {
  const std::vector<uint32_t>* slice = nullptr;  // of the vocabulary
  std::vector<uint32_t> tokens;
  std::vector<uint32_t> words;  // not empty: all bits, and nothing else counts
  bool can_end = false;
  bool empty = false;  // neither a token nor the end

  size_t Bytes() const { return (tokens.size() + words.size()) * sizeof(uint32_t); }
};

// One thread at a time. The automaton and the vocabulary must outlive it.
class MaskTable {
 public:
  // Pairs of configurations (Automaton::CountItems) that one mask may cost: some grammars are so
  // ambiguous that their longer tokens are not looked at. 2^23 are a tenth of a second at most.
  static constexpr size_t kMaxWork = 1 << 23;

  MaskTable(Automaton& automaton, const TokenVocabulary& vocabulary)
      : automaton_(automaton), vocabulary_(vocabulary) {}

  std::shared_ptr<const TokenMask> Mask(ConfigId config);
  // The same at the beginning of an answer whose first space does not count; not remembered.
  TokenMask MaskBehindSpace(ConfigId config);

  // Memory that is in use, about.
  size_t Bytes() const { return bytes_; }

 private:
  TokenMask ComputeMask(ConfigId config);
  // Whether all texts of so many of the slice's characters may follow, and no longer one: `length`,
  // at most TokenSlice::kMaxChars, which stands for any number.
  bool Absorbs(ConfigId config, const SliceChars& chars, size_t& length);
  struct Level;
  void StepChars(const SliceChars& chars, Level& level);
  void StepOtherChars(ConfigId config, Level& level);
  void WalkTrie(const TokenTrie& trie, ConfigId config, bool skip_space,
                std::vector<uint32_t>& words);
  void Compress(std::vector<uint32_t> words, TokenMask& mask) const;

  Automaton& automaton_;
  const TokenVocabulary& vocabulary_;
  std::unordered_map<ConfigId, std::shared_ptr<const TokenMask>> masks_;
  size_t bytes_ = 0;
};

}  // namespace skerry::engine::internal
