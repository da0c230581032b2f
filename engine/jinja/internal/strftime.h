// strftime as glibc's C locale has it, from a clock passed in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace skerry::engine::jinja {

// `micros` since 1970, taken as local time without a zone (%z and %Z are empty). A directive that
// does not exist stays as it is.
std::string FormatTime(std::string_view format, int64_t micros);

}  // namespace skerry::engine::jinja
