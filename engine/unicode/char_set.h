// Sets of code points, as classes of regular expressions and grammars need them.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/unicode/category.h"

namespace skerry::engine::unicode {

// Sorted ranges that neither overlap nor touch.
class CharSet {
 public:
  struct Range {
    uint32_t first = 0;
    uint32_t last = 0;
    bool operator==(const Range&) const = default;
    auto operator<=>(const Range&) const = default;
  };

  CharSet() = default;
  CharSet(uint32_t first, uint32_t last) : ranges_{{first, last}} {}
  explicit CharSet(std::vector<Range> ranges);  // in any order
  static CharSet OfCategories(CategorySet categories);
  static CharSet WhiteSpace();
  static CharSet WordChars();
  static CharSet Han();
  static CharSet All();

  const std::vector<Range>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }
  bool Contains(uint32_t c) const;
  bool operator==(const CharSet&) const = default;

  CharSet Union(const CharSet& other) const;
  CharSet Complement() const;
  CharSet Intersection(const CharSet& other) const;
  // With the other case of every letter; of those that have one in another alphabet ('s' and
  // U+017F, 'k' and U+212A) too.
  CharSet WithBothCases() const;

 private:
  std::vector<Range> ranges_;
};

}  // namespace skerry::engine::unicode
