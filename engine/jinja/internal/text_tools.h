// What methods of str and the filters of the same names share.
#pragma once

#include "engine/jinja/internal/interpreter.h"
#include "engine/jinja/internal/unicode.h"

namespace skerry::engine::jinja {

// The text of no bytes.
inline constexpr Text kEmptyText;

// Bytes [begin, end) as a value.
Value Piece(Interpreter& in, const Text& text, size_t begin, size_t end);
// Linear time, whatever is looked for; npos where it is not.
size_t FindText(std::string_view text, std::string_view part, size_t from);
// `chars` null: white space.
Value Strip(Interpreter& in, const Text& text, const Text* chars, bool left, bool right);
// At most `count` times, all if negative.
Result<Value> Replace(Interpreter& in, const Text& text, const Text& old, const Text& fresh,
                      int64_t count);
// `convert`: elements that are no strings are printed, else they fail.
Result<Value> Join(Interpreter& in, const Text& separator, std::span<const Value> items,
                   bool convert);
Value CaseOf(Interpreter& in, const Text& text, Case wanted);
Value Capitalize(Interpreter& in, const Text& text);
// Filled up to `width` characters; align < > or ^.
Result<Value> AlignText(Interpreter& in, const Text& text, int64_t width, const Text& fill,
                        char align);
Result<Value> SplitLines(Interpreter& in, const Text& text, bool keep_ends);

}  // namespace skerry::engine::jinja
