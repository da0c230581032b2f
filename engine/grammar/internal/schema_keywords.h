// Which keywords of JSON Schema mean something here.
#pragma once

#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "engine/grammar/internal/json_values.h"

namespace skerry::engine::internal {

enum class SchemaType : uint8_t { kNull, kBoolean, kInteger, kNumber, kString, kArray, kObject };
using SchemaTypes = uint32_t;  // 1 << SchemaType
inline constexpr SchemaTypes kAllTypes = (1 << 7) - 1;

inline constexpr SchemaTypes TypeBit(SchemaType type) { return 1u << static_cast<int>(type); }

// Whether the keyword says something to people only: title, default, x-...
bool IsAnnotation(std::string_view keyword);
// Whether it combines subschemas or names values: $ref, allOf, enum, ...
bool IsGeneral(std::string_view keyword);
// The types whose values the keyword restricts; 0 when it is none that is supported.
SchemaTypes TypesOfKeyword(std::string_view keyword);

// An error at a place of a schema, which is a JSON pointer.
Error SchemaError(std::string_view pointer, const std::string& what);
// `pointer` and a step.
std::string PointerTo(std::string_view pointer, std::string_view step);

// kInvalidArgument for a keyword that would restrict the value and is not supported.
Result<void> CheckKeywords(const OrderedJson& schema, std::string_view pointer);

// The types of `schema` (an object): as `type` and `nullable` say; without them, those that its
// keywords are about; else all.
Result<SchemaTypes> TypesOf(const OrderedJson& schema, std::string_view pointer);
// The type of a value; whole numbers are kInteger.
SchemaType TypeOfValue(const OrderedJson& value);

// A count such as minLength.
Result<uint32_t> CountOr(const OrderedJson& schema, const char* keyword, uint32_t fallback,
                         std::string_view pointer);

}  // namespace skerry::engine::internal
