// A compiled grammar: which texts are allowed. Made by the Compile functions of this folder, for
// any vocabulary.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "appliance/base/result.h"

namespace skerry::engine {

namespace internal {
struct Nfa;
class GrammarSource;
}  // namespace internal

// Immutable, thread-safe, cheap to copy.
class Grammar {
 public:
  explicit Grammar(std::shared_ptr<const internal::Nfa> nfa) : nfa_(std::move(nfa)) {}

  const internal::Nfa& nfa() const { return *nfa_; }
  size_t n_states() const;  // about its size

 private:
  std::shared_ptr<const internal::Nfa> nfa_;
};

// One of `choices`, exactly. kInvalidArgument for none, kExhausted beyond 2^18 letters.
Result<Grammar> CompileChoice(std::span<const std::string> choices);

namespace internal {
// What the readers end with.
Result<Grammar> CompileSource(const GrammarSource& source);
}  // namespace internal

}  // namespace skerry::engine
