#include "engine/grammar/regex_grammar.h"

#include "engine/grammar/internal/regex_syntax.h"

namespace skerry::engine {

Result<Grammar> CompileRegex(std::string_view pattern) {
  internal::GrammarSource source;
  const internal::ExprId root =
      TRY(internal::ParseRegexSyntax(pattern, internal::RegexMeaning::kWhole, source));
  source.SetRoot(root);
  return internal::CompileSource(source).WithContext("pattern");
}

}  // namespace skerry::engine
