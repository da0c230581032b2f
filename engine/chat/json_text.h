// JSON as text: what a model reads must keep the order of keys and the spelling of numbers that the
// client chose, which a parsed document loses. All functions take text that ParseJson has accepted.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::engine {

// The value spelled as Python's json.dumps(..., ensure_ascii=False) does, which chat models were
// trained on: ", " and ": " between parts, no other white space outside of strings.
std::string PythonJson(std::string_view json);

// `text` (UTF-8) as a JSON string in the same spelling, with quotes.
std::string QuoteJson(std::string_view text);

// The members of an object in their order: key, and value as it is written.
std::vector<std::pair<std::string, std::string_view>> RawMembers(std::string_view object);
// The elements of an array as they are written.
std::vector<std::string_view> RawElements(std::string_view array);

// The first member called `key`; empty when there is none.
std::string_view RawMember(std::string_view object, std::string_view key);

}  // namespace skerry::engine
