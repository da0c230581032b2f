// Two schemas as one: what satisfies both.
#pragma once

#include <string_view>

#include "appliance/base/result.h"
#include "engine/grammar/internal/json_values.h"

namespace skerry::engine::internal {

// `a` and `b` are objects; their $ref, allOf and the like have been resolved, except for anyOf or
// oneOf of one of them. Annotations are dropped. kInvalidArgument where both cannot be said in one
// schema.
Result<OrderedJson> MergeSchemas(const OrderedJson& a, const OrderedJson& b,
                                 std::string_view pointer);

}  // namespace skerry::engine::internal
