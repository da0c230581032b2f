#include "engine/unicode/category.h"

#include <algorithm>
#include <vector>

#include "engine/unicode/code_points.h"

namespace skerry::engine::unicode {
namespace {

constexpr std::string_view kNames[] = {"Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd",
                                       "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm",
                                       "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co"};

// One byte per code point: tokenizers ask for every character of long texts.
std::vector<uint8_t> Expand() {
  std::vector<uint8_t> table(kCodePoints, kCategoryCn);
  for (size_t i = 0; i < kCategoriesCount; ++i) {
    const ValueRange& range = kCategories[i];
    std::fill(table.begin() + range.first, table.begin() + range.last + 1, range.value);
  }
  return table;
}

}  // namespace

uint8_t CategoryOf(uint32_t c) {
  static const std::vector<uint8_t> table = Expand();
  return c < kCodePoints ? table[c] : uint8_t{kCategoryCn};
}

std::optional<CategorySet> CategoryByName(std::string_view name) {
  CategorySet set = 0;
  for (uint8_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name || (name.size() == 1 && kNames[i][0] == name[0])) set |= Bit(i);
  }
  if (set == 0) return std::nullopt;
  return set;
}

bool IsHan(uint32_t c) {
  const CharRange* at =
      std::upper_bound(kHan, kHan + kHanCount, c,
                       [](uint32_t value, const CharRange& range) { return value < range.first; });
  return at != kHan && c <= at[-1].last;
}

}  // namespace skerry::engine::unicode
