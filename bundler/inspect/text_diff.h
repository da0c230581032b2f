// The difference of two texts that nobody trusts, for a person at a terminal.
#pragma once

#include <string>
#include <string_view>

namespace skerry::inspect {

// `text` (any bytes) so that it can neither steer a terminal nor hide: control characters but tabs
// and line feeds, invalid UTF-8 and characters that are invisible or turn the direction of writing
// are shown as \u{1b} (code point) or \x{ff} (byte). Then every backslash is doubled, so that
// nothing else can look the same; without such characters the text stays as it is.
std::string Escaped(std::string_view text);

// Unified diff with three lines of context, both texts escaped as above; empty when they are the
// same. The names stand in its head as they are. A long line is cut behind its Jinja tags, as if
// there were line feeds, each piece followed by a line "\ no line feed here". Texts of more than
// 20000 lines or with more than 2000 changed ones are not compared line by line: the result says so
// and where they begin to differ. What is longer than 256 KiB is cut and says so.
std::string UnifiedDiff(std::string_view before_name, std::string_view after_name,
                        std::string_view before, std::string_view after);

}  // namespace skerry::inspect
