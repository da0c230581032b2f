// Holds a model to a grammar: before each token, which tokens may come; after each, what it was.
//
// How an engine uses it, per sequence:
//
//   Matcher matcher(constraint, strip);           // when the constrained text begins
//   while (...) {
//     // Beside the forward step, on any other thread: nothing of the step is needed.
//     const bool possible = matcher.FillMask(words);
//     // When logits and mask are there: every logit whose bit is 0 becomes -infinity, before
//     // penalties and sampling. `possible` false: no token fits (a vocabulary that lacks a byte);
//     // end the sequence.
//     matcher.Accept(token);                      // what was sampled; a stop token ends the text
//   }
//
// To check tokens that another model guessed, Accept them one by one and FillMask before each (or
// copy the matcher, which is cheap); Rollback takes back those that were not taken.
// A matcher may begin anywhere in an answer: where a tool call or a thought's end was seen.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/grammar/grammar.h"
#include "engine/grammar/vocabulary.h"

namespace skerry::engine {

namespace internal {
struct SharedAutomaton;
}  // namespace internal

// A grammar on a vocabulary, with everything that was found out about their masks. Thread-safe:
// matchers on several threads share it, one computes at a time. Memory is bounded; what is
// forgotten is computed again.
class Constraint {
 public:
  static constexpr size_t kMaxBytes = 64 << 20;

  // `max_bytes` of transitions and masks that are remembered.
  Constraint(Grammar grammar, std::shared_ptr<const TokenVocabulary> vocabulary,
             size_t max_bytes = kMaxBytes);

  const Grammar& grammar() const { return grammar_; }
  const TokenVocabulary& vocabulary() const { return *vocabulary_; }
  // Memory that is in use, about.
  size_t Bytes() const;

 private:
  friend class Matcher;
  std::shared_ptr<internal::SharedAutomaton> Current() const;
  // The one to use instead of `full`.
  std::shared_ptr<internal::SharedAutomaton> Replace(
      const std::shared_ptr<internal::SharedAutomaton>& full);
  std::shared_ptr<internal::SharedAutomaton> NewAutomaton() const;

  const Grammar grammar_;
  const std::shared_ptr<const TokenVocabulary> vocabulary_;
  const size_t max_bytes_;
  mutable std::mutex mu_;
  std::shared_ptr<internal::SharedAutomaton> current_;  // guarded by mu_
};

// One text under a constraint. One thread at a time; copies are independent.
class Matcher {
 public:
  // Tokens that can be taken back.
  static constexpr size_t kMaxRollback = 256;

  // `strip_leading_space`: the text begins a segment of its own, whose first space does not count
  // where the vocabulary puts one in front of everything (as Detokenizer has it).
  explicit Matcher(std::shared_ptr<Constraint> constraint, bool strip_leading_space = false);

  // Sets bit i of `words` (at least mask_words() of the vocabulary) when token i may come next;
  // stop tokens when the text may end. Bits beyond the vocabulary become 0. False when there is
  // nothing at all that may come.
  bool FillMask(std::span<uint32_t> words);
  // False, and nothing is changed, when the token may not come.
  bool Accept(TokenId token);
  // Text without tokens: bytes that were read some other way. All or nothing.
  bool AcceptBytes(std::string_view bytes);
  // Takes back the last `n` calls of Accept and AcceptBytes that were true; at most kMaxRollback,
  // and no more than there were. False, and nothing is changed, otherwise.
  bool Rollback(size_t n);

  bool CanEnd();                                       // a stop token may come
  bool Ended() const { return places_.back().ended; }  // one came
  // Bytes that must come next, at most `limit`, where there is no choice; none where the text may
  // end. A caller that puts them in instead of generating them tokenises and Accepts them.
  std::string Forced(size_t limit = 256);

 private:
  struct Place {
    uint32_t config = 0;
    bool strip = false;
    bool ended = false;
  };

  bool Read(std::string_view bytes);
  void Push(Place place);
  void LeaveFull();

  std::shared_ptr<Constraint> constraint_;
  std::shared_ptr<internal::SharedAutomaton> automaton_;
  std::vector<Place> places_;  // the last is now
};

}  // namespace skerry::engine
