// Normal forms of the Unicode Standard (annex 15), and case.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace skerry::engine::unicode {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

// `text`, which is valid UTF-8, in the given form. Time O(n log n) in the worst case.
std::string Normalize(std::string_view text, NormalForm form);

// Whether no character before `c` has any influence on what becomes of `c` and what follows it: a
// text may be cut before it and its parts normalised one by one.
bool StartsSegment(uint32_t c, NormalForm form);

// Appends the lower case of one character, without regard to what stands around it.
void AppendLower(uint32_t c, std::string& out);
// The one character that is the other case of `c`; `c` itself when there is none or several.
uint32_t SimpleUpper(uint32_t c);
uint32_t SimpleLower(uint32_t c);

}  // namespace skerry::engine::unicode
