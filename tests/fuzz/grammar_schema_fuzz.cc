// libFuzzer target: JSON schemas, and texts under their masks.
#include <cstdint>

#include "engine/grammar/json_schema.h"
#include "tests/fuzz/grammar_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::engine;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto grammar = CompileJsonSchema(text);
  if (grammar) CheckGrammar(*grammar, text);
  return 0;
}
