// The part of the notation that stands for one character: escapes and bracketed classes.
#pragma once

#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "engine/unicode/char_set.h"

namespace skerry::engine::internal {

using unicode::CharSet;

// Reads a pattern from left to right.
class RegexCursor {
 public:
  explicit RegexCursor(std::string_view pattern) : pattern_(pattern) {}

  bool AtEnd() const { return at_ == pattern_.size(); }
  bool StartsWith(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool Skip(std::string_view text);
  char Peek() const { return pattern_[at_]; }
  uint32_t Next();  // a code point; not at the end
  size_t offset() const { return at_; }
  void Rewind(size_t offset) { at_ = offset; }
  // kInvalidArgument with the place.
  Error Bad(const std::string& what) const;

 private:
  std::string_view pattern_;
  size_t at_ = 0;
};

// What stands behind a backslash, which was read: a class (\s) or one character (\n).
Result<CharSet> ParseEscape(RegexCursor& cursor, bool both_cases);
// What stands behind a '[', which was read, to its ']'.
Result<CharSet> ParseClass(RegexCursor& cursor, bool both_cases, int depth);

}  // namespace skerry::engine::internal
