#include "engine/unicode/char_set.h"

#include <algorithm>
#include <iterator>

#include "engine/unicode/code_points.h"
#include "engine/unicode/normal_form.h"
#include "engine/unicode/tables.h"

namespace skerry::engine::unicode {
namespace {

constexpr uint32_t kLast = kCodePoints - 1;

template <typename Holds>
CharSet Where(Holds holds) {
  std::vector<CharSet::Range> ranges;
  for (uint32_t c = 0; c <= kLast; ++c) {
    if (!holds(c)) continue;
    if (!ranges.empty() && ranges.back().last + 1 == c) {
      ranges.back().last = c;
    } else {
      ranges.push_back({c, c});
    }
  }
  return CharSet(std::move(ranges));
}

}  // namespace

CharSet::CharSet(std::vector<Range> ranges) {
  if (!std::ranges::is_sorted(ranges)) std::ranges::sort(ranges);
  for (const Range& range : ranges) {
    if (!ranges_.empty() && range.first <= uint64_t{ranges_.back().last} + 1) {
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    } else {
      ranges_.push_back(range);
    }
  }
}

CharSet CharSet::OfCategories(CategorySet categories) {
  std::vector<Range> ranges;
  for (size_t i = 0; i < kCategoriesCount; ++i) {
    const ValueRange& range = kCategories[i];
    if (Bit(range.value) & categories) ranges.push_back({range.first, range.last});
  }
  if (categories & Bit(kCategoryCn)) {  // what no table lists
    const CharSet listed = OfCategories(~Bit(kCategoryCn));
    return CharSet(std::move(ranges)).Union(listed.Complement());
  }
  return CharSet(std::move(ranges));
}

CharSet CharSet::WhiteSpace() {
  static const CharSet set = Where(IsWhiteSpace);
  return set;
}

CharSet CharSet::WordChars() {
  static const CharSet set = OfCategories(kLetters | kMarks | Bit(kCategoryNd) | Bit(kCategoryPc));
  return set;
}

CharSet CharSet::Han() {
  std::vector<Range> ranges;
  for (size_t i = 0; i < kHanCount; ++i) {
    ranges.push_back({kHan[i].first, kHan[i].last});
  }
  return CharSet(std::move(ranges));
}

CharSet CharSet::All() { return {0, kLast}; }

bool CharSet::Contains(uint32_t c) const {
  const auto at = std::ranges::upper_bound(ranges_, c, {}, &Range::first);
  return at != ranges_.begin() && c <= at[-1].last;
}

CharSet CharSet::Union(const CharSet& other) const {
  std::vector<Range> all;
  all.reserve(ranges_.size() + other.ranges_.size());
  std::ranges::merge(ranges_, other.ranges_, std::back_inserter(all));
  return CharSet(std::move(all));
}

CharSet CharSet::Complement() const {
  CharSet out;
  uint32_t next = 0;
  for (const Range& range : ranges_) {
    if (range.first > next) out.ranges_.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLast) out.ranges_.push_back({next, kLast});
  return out;
}

CharSet CharSet::Intersection(const CharSet& other) const {
  return Complement().Union(other.Complement()).Complement();
}

CharSet CharSet::WithBothCases() const {
  static const CharSet cased =
      Where([](uint32_t c) { return SimpleUpper(c) != c || SimpleLower(c) != c; });
  const CharSet with_another_case = Intersection(cased);
  std::vector<Range> all = ranges_;
  const auto add = [&](uint32_t c) { all.push_back({c, c}); };
  for (const Range& range : with_another_case.ranges_) {
    for (uint32_t c = range.first; c <= range.last; ++c) {
      const uint32_t upper = SimpleUpper(c);
      const uint32_t lower = SimpleLower(c);
      if (upper != c) add(upper);
      if (lower != c) add(lower);
      if (c == 's' || c == 'S') add(0x17F);
      if (c == 'k' || c == 'K') add(0x212A);
    }
  }
  return CharSet(std::move(all));
}

}  // namespace skerry::engine::unicode
