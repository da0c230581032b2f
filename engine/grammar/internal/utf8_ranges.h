// Sets of characters as sequences of byte ranges: what their UTF-8 looks like.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/unicode/char_set.h"
#include "engine/unicode/code_points.h"

namespace skerry::engine::internal {

// The characters whose i-th byte lies between first[i] and last[i].
struct Utf8Range {
  size_t length = 0;
  std::array<uint8_t, 4> first{};
  std::array<uint8_t, 4> last{};
};

// Calls each(Utf8Range) for parts that make up the range, which has one length in UTF-8.
template <typename Each>
void SplitUtf8Range(uint32_t first, uint32_t last, Each& each) {
  // All but the leading byte must run from 80 to BF, or be the same, for it to be one part.
  for (int shift = 6; shift <= 18; shift += 6) {
    const uint32_t mask = (uint32_t{1} << shift) - 1;
    if ((first & ~mask) == (last & ~mask)) break;
    if ((first & mask) != 0) {
      SplitUtf8Range(first, first | mask, each);
      SplitUtf8Range((first | mask) + 1, last, each);
      return;
    }
    if ((last & mask) != mask) {
      SplitUtf8Range(first, (last & ~mask) - 1, each);
      SplitUtf8Range(last & ~mask, last, each);
      return;
    }
  }
  std::string low;
  std::string high;
  unicode::AppendCodePoint(first, low);
  unicode::AppendCodePoint(last, high);
  Utf8Range range;
  range.length = low.size();
  for (size_t i = 0; i < low.size(); ++i) {
    range.first[i] = static_cast<uint8_t>(low[i]);
    range.last[i] = static_cast<uint8_t>(high[i]);
  }
  each(range);
}

// The same for a whole set. Surrogates are no characters and are left out.
template <typename Each>
void ForEachUtf8Range(const unicode::CharSet& chars, Each&& each) {
  struct Piece {
    uint32_t first, last;
  };
  constexpr Piece kPieces[] = {{0, 0x7F},
                               {0x80, 0x7FF},
                               {0x800, 0xD7FF},
                               {0xE000, 0xFFFF},
                               {0x10000, unicode::kCodePoints - 1}};
  for (const unicode::CharSet::Range& range : chars.ranges()) {
    for (const Piece& piece : kPieces) {
      const uint32_t first = range.first > piece.first ? range.first : piece.first;
      const uint32_t last = range.last < piece.last ? range.last : piece.last;
      if (first <= last) SplitUtf8Range(first, last, each);
    }
  }
}

}  // namespace skerry::engine::internal
