// Formats of strings that JSON Schema names.
#pragma once

#include <string>
#include <string_view>

namespace skerry::engine::internal {

// A pattern of the whole text; empty for a format that is not known here.
std::string PatternOfFormat(std::string_view format);
// Formats that say how a program stores the text, not what it looks like.
bool IsFormatAnnotation(std::string_view format);

}  // namespace skerry::engine::internal
