#include "engine/grammar/ebnf.h"

#include "engine/grammar/internal/ebnf_reader.h"

namespace skerry::engine {

Result<Grammar> CompileEbnf(std::string_view grammar) {
  internal::GrammarSource source;
  const internal::ExprId root = TRY(internal::ReadEbnf(grammar, source));
  source.SetRoot(root);
  return internal::CompileSource(source).WithContext("grammar");
}

}  // namespace skerry::engine
