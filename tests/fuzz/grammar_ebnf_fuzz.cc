// libFuzzer target: grammars of clients, and texts under their masks. A text that begins with '/'
// is a pattern.
#include <cstdint>

#include "engine/grammar/ebnf.h"
#include "engine/grammar/regex_grammar.h"
#include "tests/fuzz/grammar_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::engine;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto grammar = text.starts_with('/') ? CompileRegex(text.substr(1)) : CompileEbnf(text);
  if (grammar) CheckGrammar(*grammar, text);
  return 0;
}
