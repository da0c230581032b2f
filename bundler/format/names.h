// Which names a bundle may carry: a conservative set that is the same string on every file system,
// in every JSON writer and on every terminal.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/clock.h"
#include "appliance/base/result.h"

namespace skerry::format {

// A relative path of at most 255 bytes and 8 parts: letters, digits, '.', '_', '-' between slashes;
// no empty part, no "." or "..". kUntrusted, quoting the name safely, otherwise.
Result<void> CheckFileName(std::string_view name);

// Names in strictly ascending byte order that are distinct without regard to case, and of which
// none is a directory of another (nor are directories told apart by case only). Each passes
// CheckFileName.
Result<void> CheckFileNames(std::span<const std::string_view> names);

// "ORG/NAME": two parts of letters, digits, '.', '_', '-', each starting with a letter or digit, at
// most 96 bytes each.
Result<void> CheckModelId(std::string_view id);

// At most 64 letters, digits, '.', '_', '-', '+', starting with a letter or digit.
Result<void> CheckVersion(std::string_view version);

// "2027-06-30": a day of the calendar, years 1 to 9999.
Result<void> CheckDay(std::string_view day);
// Whether that day is over (UTC) by this clock, which may be wrong.
bool IsPastDay(std::string_view day, const Clock& clock);

// `text` in quotes with everything but printable ASCII replaced, at most 80 characters: for
// messages.
std::string Quote(std::string_view text);

}  // namespace skerry::format
