#include "engine/grammar/grammar.h"

#include <utility>
#include <vector>

#include "engine/grammar/internal/nfa_builder.h"

namespace skerry::engine {

size_t Grammar::n_states() const { return nfa_->states.size(); }

Result<Grammar> internal::CompileSource(const GrammarSource& source) {
  Nfa nfa = TRY(BuildNfa(source));
  return Grammar(std::make_shared<const Nfa>(std::move(nfa)));
}

Result<Grammar> CompileChoice(std::span<const std::string> choices) {
  if (choices.empty()) return Error(ErrorCode::kInvalidArgument, "a choice of nothing");
  internal::GrammarSource source;
  source.SetRoot(source.Literals({choices.begin(), choices.end()}));
  return internal::CompileSource(source);
}

}  // namespace skerry::engine
