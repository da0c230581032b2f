// The part of patterns that stands for one character: escapes and bracketed classes.
#pragma once

#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "engine/unicode/char_set.h"

namespace skerry::engine::internal {

// Reads a text (valid UTF-8) from left to right.
class PatternCursor {
 public:
  explicit PatternCursor(std::string_view text) : text_(text) {}

  bool AtEnd() const { return at_ == text_.size(); }
  bool StartsWith(std::string_view text) const { return text_.substr(at_).starts_with(text); }
  bool Skip(std::string_view text) {
    if (!StartsWith(text)) return false;
    at_ += text.size();
    return true;
  }
  char Peek() const { return text_[at_]; }  // not at the end
  uint32_t Next();                          // a code point; not at the end
  size_t offset() const { return at_; }
  void Rewind(size_t offset) { at_ = offset; }
  // kInvalidArgument with the place.
  Error Bad(const std::string& what) const;

 private:
  std::string_view text_;
  size_t at_ = 0;
};

// An escape, a class, a dot or a character; not at the end.
Result<unicode::CharSet> ParseRegexAtom(PatternCursor& cursor, bool both_cases);
// A class whose '[' was read.
Result<unicode::CharSet> ParseRegexClass(PatternCursor& cursor, bool both_cases);

}  // namespace skerry::engine::internal
