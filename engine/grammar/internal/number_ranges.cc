#include "engine/grammar/internal/number_ranges.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "engine/grammar/internal/json_values.h"

namespace skerry::engine::internal {
namespace {

constexpr uint64_t kMostDigits = 999'999'999'999'999'999;  // 18 of them

// A bound without its sign: digits before and behind the point.
struct Decimal {
  bool negative = false;
  std::string whole;     // no zeros in front, but "0"
  std::string fraction;  // no zeros at the end

  bool IsZero() const { return whole == "0" && fraction.empty(); }
  // Capped: what is larger is beyond every number that is written.
  uint64_t Whole() const {
    return whole.size() > 18 ? kMostDigits + 1 : std::strtoull(whole.c_str(), nullptr, 10);
  }
};

// `text`: a JSON number.
Decimal ParseDecimal(std::string_view text) {
  Decimal decimal;
  decimal.negative = text.starts_with('-');
  if (decimal.negative) text.remove_prefix(1);
  int exponent = 0;
  if (const size_t at = text.find_first_of("eE"); at != std::string_view::npos) {
    exponent = std::atoi(std::string(text.substr(at + 1)).c_str());
    text = text.substr(0, at);
  }
  std::string digits;
  int point =
      static_cast<int>(std::min(text.find('.'), text.size())) + std::clamp(exponent, -400, 400);
  for (const char c : text) {
    if (c != '.') digits += c;
  }
  if (point < 0) digits.insert(0, static_cast<size_t>(-point), '0');
  point = std::max(point, 0);
  if (static_cast<size_t>(point) > digits.size()) {
    digits.append(static_cast<size_t>(point) - digits.size(), '0');
  }
  decimal.whole = digits.substr(0, static_cast<size_t>(point));
  decimal.fraction = digits.substr(static_cast<size_t>(point));
  decimal.whole.erase(0, decimal.whole.find_first_not_of('0'));
  if (decimal.whole.empty()) decimal.whole = "0";
  decimal.fraction.erase(decimal.fraction.find_last_not_of('0') + 1);
  if (decimal.IsZero()) decimal.negative = false;
  return decimal;
}

// Positive bounds of what is written behind the sign.
struct Magnitudes {
  Decimal least;
  std::optional<Decimal> most;
  bool above = false;
  bool below = false;
};

// The magnitudes of one sign that lie between the bounds; nullopt when there are none.
std::optional<Magnitudes> OfSign(const NumberBounds& bounds, bool negative) {
  std::optional<Decimal> near;  // the bound at the side of zero
  std::optional<Decimal> far;
  if (bounds.least) (negative ? far : near) = ParseDecimal(*bounds.least);
  if (bounds.most) (negative ? near : far) = ParseDecimal(*bounds.most);
  const bool above = negative ? bounds.below_most : bounds.above_least;
  const bool below = negative ? bounds.above_least : bounds.below_most;
  Magnitudes result;
  result.least.whole = "0";
  if (far) {
    if (far->IsZero() ? negative || below : far->negative != negative) return std::nullopt;
    result.most = far;
    result.below = below;
  }
  if (near && (near->IsZero() || near->negative == negative)) {
    result.least = *near;
    result.above = above;
  }
  result.least.negative = false;
  return result;
}

class Ranges {
 public:
  explicit Ranges(GrammarSource& source) : source_(source) {}

  // Whole numbers from `least` to `most`, no zeros in front.
  ExprId Whole(uint64_t least, uint64_t most) {
    std::vector<ExprId> parts;
    uint64_t first = 0;  // with so many digits
    uint64_t last = 9;
    for (int n_digits = 1; n_digits <= 19; ++n_digits) {
      if (least <= last && most >= first) {
        parts.push_back(SameLength(std::to_string(std::max(least, first)),
                                   std::to_string(std::min(most, last)), 0, true, true));
      }
      first = last + 1;
      last = first * 10 - 1;
    }
    return source_.Choice(std::move(parts));
  }

  ExprId Decimals(const Magnitudes& range) {
    const uint64_t least = range.least.Whole();
    const uint64_t most = range.most ? range.most->Whole() : kMostDigits + 1;
    const bool tight = range.most && most == least;
    std::vector<ExprId> parts;
    if (least <= kMostDigits && least <= most) {
      const ExprId behind = Fraction({&range.least.fraction, range.above},
                                     {tight ? &range.most->fraction : nullptr, range.below});
      parts.push_back(source_.Sequence({source_.Text(std::to_string(least)), behind}));
    }
    if (most > least) {
      if (most - least > 1 && least < kMostDigits) {
        const ExprId between = Whole(least + 1, most - 1);
        parts.push_back(source_.Sequence({between, Fraction({}, {})}));
      }
      if (most <= kMostDigits) {
        const ExprId behind = Fraction({}, {&range.most->fraction, range.below});
        parts.push_back(source_.Sequence({source_.Text(std::to_string(most)), behind}));
      }
    }
    return source_.Choice(std::move(parts));
  }

 private:
  ExprId Digits(char first, char last) {
    return source_.Chars({static_cast<uint32_t>(first), static_cast<uint32_t>(last)});
  }

  ExprId SameLength(const std::string& least, const std::string& most, size_t at, bool at_least,
                    bool at_most) {
    const auto n_left = static_cast<uint32_t>(least.size() - at);
    if (!at_least && !at_most) return source_.Repeat(Digits('0', '9'), n_left, n_left);
    if (n_left == 0) return source_.Empty();
    const char low = at_least ? least[at] : '0';
    const char high = at_most ? most[at] : '9';
    std::vector<ExprId> parts;
    const auto add = [&](char first, char last, bool low_left, bool high_left) {
      const ExprId rest = SameLength(least, most, at + 1, low_left, high_left);
      parts.push_back(source_.Sequence({Digits(first, last), rest}));
    };
    if (low == high) {
      add(low, low, at_least, at_most);
      return parts[0];
    }
    char first = low;
    char last = high;
    if (at_least) add(first++, low, true, false);
    if (at_most) add(last--, high, false, true);
    if (first <= last) add(first, last, false, false);
    return source_.Choice(std::move(parts));
  }

  // A bound of the fraction: its digits (null: none), and whether it is excluded itself.
  struct Edge {
    const std::string* digits = nullptr;
    bool strict = false;

    char At(size_t i) const { return i < digits->size() ? (*digits)[i] : '0'; }
    // Whether only zeros are left of the bound.
    bool Over(size_t i) const { return i >= digits->size(); }
  };

  // A point and digits, or nothing.
  ExprId Fraction(const Edge& least, const Edge& most) {
    std::vector<ExprId> parts;
    if (MayStop(0, least, most)) parts.push_back(source_.Empty());
    parts.push_back(source_.Sequence({source_.Text("."), Behind(0, least, most)}));
    return source_.Choice(std::move(parts));
  }

  // Whether the number may end before digit `at`, when it equals the bounds so far.
  static bool MayStop(size_t at, const Edge& least, const Edge& most) {
    if (least.digits && (!least.Over(at) || least.strict)) return false;
    return !most.digits || !most.Over(at) || !most.strict;
  }

  // At least one digit, the first of them number `at`.
  ExprId Behind(size_t at, Edge least, Edge most) {
    constexpr uint32_t kMore = JsonValues::kMaxDigits;
    if (least.digits && least.Over(at) && !least.strict) least = {};
    if (!least.digits && !most.digits) return source_.Repeat(Digits('0', '9'), 1, kMore);
    if (most.digits && most.Over(at)) {  // equal so far: zeros only
      if (most.strict || least.digits) return source_.Nothing();
      return source_.Repeat(Digits('0', '0'), 1, kMore);
    }
    if (least.digits && least.Over(at) && !most.digits) {  // zeros, and something above them
      return source_.Sequence({source_.Repeat(Digits('0', '0'), 0, kMore), Digits('1', '9'),
                               source_.Repeat(Digits('0', '9'), 0, kMore)});
    }
    const char low = least.digits ? least.At(at) : '0';
    const char high = most.digits ? most.At(at) : '9';
    std::vector<ExprId> parts;
    const auto add = [&](char first, char last, const Edge& low_left, const Edge& high_left) {
      std::vector<ExprId> rest;
      if (MayStop(at + 1, low_left, high_left)) rest.push_back(source_.Empty());
      rest.push_back(Behind(at + 1, low_left, high_left));
      const ExprId all = source_.Choice(std::move(rest));
      parts.push_back(source_.Sequence({Digits(first, last), all}));
    };
    if (low > high) return source_.Nothing();
    if (low == high) {
      add(low, high, least, most);
    } else {
      char first = low;
      char last = high;
      if (least.digits) add(first++, low, least, {});
      if (most.digits) add(last--, high, {}, most);
      if (first <= last) add(first, last, {}, {});
    }
    return source_.Choice(std::move(parts));
  }

  GrammarSource& source_;
};

// The whole numbers of one sign: 0 belongs to the positive ones.
ExprId IntegersOfSign(GrammarSource& source, const NumberBounds& bounds, bool negative) {
  const std::optional<Magnitudes> range = OfSign(bounds, negative);
  if (!range) return source.Nothing();
  uint64_t least = range->least.Whole();
  if (!range->least.fraction.empty() || range->above) ++least;  // the next one above
  if (negative) least = std::max<uint64_t>(least, 1);
  uint64_t most = kMostDigits;
  if (range->most) {
    most = std::min(most, range->most->Whole());
    if (range->below && range->most->fraction.empty() && most == range->most->Whole()) {
      if (most == 0) return source.Nothing();
      --most;
    }
  }
  if (least > most) return source.Nothing();
  const ExprId digits = Ranges(source).Whole(least, most);
  return negative ? source.Sequence({source.Text("-"), digits}) : digits;
}

}  // namespace

ExprId IntegerRange(GrammarSource& source, const NumberBounds& bounds) {
  if (!bounds.Any()) {
    const ExprId digits = source.Repeat(source.Chars({'0', '9'}), 0, JsonValues::kMaxDigits - 1);
    const ExprId counted =
        source.Sequence({source.Optional(source.Text("-")), source.Chars({'1', '9'}), digits});
    return source.Choice({source.Text("0"), counted});
  }
  return source.Choice(
      {IntegersOfSign(source, bounds, false), IntegersOfSign(source, bounds, true)});
}

ExprId DecimalRange(GrammarSource& source, const NumberBounds& bounds) {
  Ranges ranges(source);
  std::vector<ExprId> parts;
  if (const auto positive = OfSign(bounds, false)) parts.push_back(ranges.Decimals(*positive));
  if (const auto negative = OfSign(bounds, true)) {
    parts.push_back(source.Sequence({source.Text("-"), ranges.Decimals(*negative)}));
  }
  return source.Choice(std::move(parts));
}

}  // namespace skerry::engine::internal
