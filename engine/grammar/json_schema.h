// JSON documents that a schema allows (JSON Schema 2020-12 and draft 7, as far as a grammar can say
// it). docs/engine/grammar.md lists what is supported, what is read more narrowly than the standard
// has it, and what is refused.
#pragma once

#include <string_view>

#include "appliance/base/result.h"
#include "engine/grammar/grammar.h"

namespace skerry::engine {

struct JsonSchemaLimits {
  static constexpr size_t kMaxBytes = 1 << 20;
  static constexpr size_t kMaxNesting = 64;        // of the text
  static constexpr size_t kMaxSubschemas = 20000;  // compiled, each use counts
  static constexpr int kMaxDepth = 100;            // of subschemas in subschemas
};

// `schema` as the client wrote it: the order of its properties is the order in the document. Errors
// name the place as a JSON pointer: kInvalidArgument for what is no schema, what is not supported
// and what nothing can satisfy; kExhausted beyond the limits.
Result<Grammar> CompileJsonSchema(std::string_view schema);

// Any JSON object.
Result<Grammar> CompileAnyJsonObject();

}  // namespace skerry::engine
