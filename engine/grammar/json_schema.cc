#include "engine/grammar/json_schema.h"

#include "engine/grammar/internal/schema_compiler.h"

namespace skerry::engine {

Result<Grammar> CompileJsonSchema(std::string_view schema) {
  internal::GrammarSource source;
  const internal::ExprId root = TRY(internal::AddJsonSchema(schema, source));
  source.SetRoot(root);
  return internal::CompileSource(source).WithContext("schema");
}

Result<Grammar> CompileAnyJsonObject() {
  internal::GrammarSource source;
  source.SetRoot(internal::JsonValues(source).AnyObject());
  return internal::CompileSource(source);
}

}  // namespace skerry::engine
