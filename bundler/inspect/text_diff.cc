#include "bundler/inspect/text_diff.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace skerry::inspect {

namespace {

constexpr size_t kMaxLines = 20000;
constexpr size_t kMaxChanges = 2000;
constexpr size_t kMaxDiffBytes = 256 << 10;
constexpr size_t kContextLines = 3;
constexpr size_t kLongLineBytes = 160;

struct Range {
  uint32_t first;
  uint32_t last;
};
// Unicode 15: controls (Cc) but tab and line feed, format characters (Cf), separators that are not
// the space, fillers, variation selectors and tags: what has no shape of its own.
constexpr Range kHidden[] = {
    {0x00, 0x08},       {0x0b, 0x1f},       {0x7f, 0xa0},       {0xad, 0xad},
    {0x34f, 0x34f},     {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},
    {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},     {0x115f, 0x1160},
    {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x2000, 0x200f},   {0x2028, 0x202f},
    {0x205f, 0x206f},   {0x2800, 0x2800},   {0x3000, 0x3000},   {0x3164, 0x3164},
    {0xd800, 0xf8ff},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1345f},
    {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff}};

bool IsHidden(uint32_t code_point) {
  return std::any_of(std::begin(kHidden), std::end(kHidden), [&](const Range& range) {
    return code_point >= range.first && code_point <= range.last;
  });
}

struct Character {
  uint32_t code_point = 0;
  size_t bytes = 1;
  bool valid = false;
};

// The character at the beginning of `text`, which is not empty (RFC 3629); one invalid byte where
// there is none.
Character FirstCharacter(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (byte(0) < 0x80) return {byte(0), 1, true};
  const size_t size = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < size) return {byte(0), 1, false};
  uint32_t code_point = byte(0) & (0x7fU >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {byte(0), 1, false};
    code_point = code_point << 6 | (byte(i) & 0x3fU);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (code_point < kLeast[size] || code_point > 0x10ffff || surrogate) return {byte(0), 1, false};
  return {code_point, size, true};
}

std::string Hex(uint32_t value) {
  std::string digits;
  do {
    digits.insert(digits.begin(), "0123456789abcdef"[value & 15]);
    value >>= 4;
  } while (value != 0);
  return digits;
}

bool NeedsEscapes(std::string_view text) {
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    if (!character.valid || IsHidden(character.code_point)) return true;
    text.remove_prefix(character.bytes);
  }
  return false;
}

std::string Escape(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    if (!character.valid || IsHidden(character.code_point)) {
      shown += (character.valid ? "\\u{" : "\\x{") + Hex(character.code_point) + "}";
    } else if (text[0] == '\\') {
      shown += "\\\\";
    } else {
      shown += text.substr(0, character.bytes);
    }
    text.remove_prefix(character.bytes);
  }
  return shown;
}

// A line with its line feed, or a piece of a long one.
using Lines = std::vector<std::string_view>;

// Behind the first "%}" or "}}" of a line; its end when that is where the line ends anyway.
size_t EndOfTag(std::string_view line) {
  for (size_t i = 0; i + 3 < line.size(); ++i) {
    if ((line[i] == '%' || line[i] == '}') && line[i + 1] == '}' && line[i + 2] != '\n') {
      return i + 2;
    }
  }
  return line.size();
}

Lines Split(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t feed = text.find('\n');
    size_t end = feed == std::string_view::npos ? text.size() : feed + 1;
    if (end > kLongLineBytes) end = EndOfTag(text.substr(0, end));
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

struct Step {
  char sign;  // ' ', '-' or '+'
  std::string_view line;
};

// E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), the greedy algorithm with
// all its steps kept; nullopt above kMaxChanges.
std::optional<std::vector<Step>> Compare(const Lines& before, const Lines& after) {
  const auto n = static_cast<int>(before.size()), m = static_cast<int>(after.size());
  const int most = std::min(n + m, static_cast<int>(kMaxChanges));
  std::vector<std::vector<int>> rounds;  // of round d: the furthest x on diagonals -d, -d+2 ... d
  const auto furthest = [&](int d, int k) { return rounds[d][(k + d) / 2]; };
  const auto from_above = [&](int d, int k) {
    return k == -d || (k != d && furthest(d - 1, k - 1) < furthest(d - 1, k + 1));
  };
  bool met = false;
  for (int d = 0; d <= most && !met; ++d) {
    std::vector<int> round;
    for (int k = -d; k <= d && !met; k += 2) {
      int x = 0;
      if (d > 0) x = from_above(d, k) ? furthest(d - 1, k + 1) : furthest(d - 1, k - 1) + 1;
      while (x < n && x - k < m && before[x] == after[x - k]) ++x;
      round.push_back(x);
      met = x >= n && x - k >= m;
    }
    rounds.push_back(std::move(round));
  }
  if (!met) return std::nullopt;
  std::vector<Step> steps;
  int x = n, y = m;
  for (int d = static_cast<int>(rounds.size()) - 1; d >= 0; --d) {
    const int k = x - y;
    const bool above = d > 0 && from_above(d, k);
    const int from_x = d == 0 ? 0 : furthest(d - 1, above ? k + 1 : k - 1);
    const int snake_x = d == 0 || above ? from_x : from_x + 1;
    for (; x > snake_x; --x) steps.push_back({' ', before[x - 1]});
    if (d == 0) break;
    y = x - k;
    steps.push_back(above ? Step{'+', after[y - 1]} : Step{'-', before[x - 1]});
    if (above) {
      --y;
    } else {
      --x;
    }
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

std::string LineRange(size_t first, size_t count) {
  // GNU diff: the line before an empty range.
  return std::to_string(count == 0 ? first : first + 1) + "," + std::to_string(count);
}

class Writer {
 public:
  explicit Writer(bool escape) : escape_(escape) {}

  void Write(const std::vector<Step>& steps) {
    size_t old_line = 0, new_line = 0;
    for (size_t i = 0; i < steps.size();) {
      if (steps[i].sign == ' ') {
        ++i, ++old_line, ++new_line;
        continue;
      }
      const size_t context = std::min(i - written_, kContextLines);
      const size_t end = HunkEnd(steps, i);
      const size_t begin = i - context;
      WriteHunk(steps, begin, end, old_line - context, new_line - context);
      for (; i < end; ++i) {
        old_line += steps[i].sign != '+';
        new_line += steps[i].sign != '-';
      }
      written_ = end;
    }
  }

  bool escapes() const { return escape_; }

  std::string text;

 private:
  // Behind the last change that is less than two contexts from the one before it, and its context.
  static size_t HunkEnd(const std::vector<Step>& steps, size_t first) {
    size_t last = first;
    for (size_t i = first; i < steps.size() && i <= last + 2 * kContextLines; ++i) {
      if (steps[i].sign != ' ') last = i;
    }
    return std::min(steps.size(), last + 1 + kContextLines);
  }

  void WriteHunk(const std::vector<Step>& steps, size_t begin, size_t end, size_t old_line,
                 size_t new_line) {
    size_t old_count = 0, new_count = 0;
    for (size_t i = begin; i < end; ++i) {
      old_count += steps[i].sign != '+';
      new_count += steps[i].sign != '-';
    }
    text +=
        "@@ -" + LineRange(old_line, old_count) + " +" + LineRange(new_line, new_count) + " @@\n";
    for (size_t i = begin; i < end && text.size() <= kMaxDiffBytes; ++i) WriteStep(steps[i]);
  }

  void WriteStep(const Step& step) {
    std::string_view line = step.line;
    const bool feed = line.ends_with('\n');
    if (feed) line.remove_suffix(1);
    text += step.sign + (escape_ ? Escape(line) : std::string(line)) + "\n";
    if (!feed) text += "\\ no line feed here\n";
  }

  bool escape_;
  size_t written_ = 0;
};

std::string SayOnly(const Lines& before, const Lines& after) {
  size_t same = 0;
  while (same < before.size() && same < after.size() && before[same] == after[same]) ++same;
  return "too different to be shown: " + std::to_string(before.size()) + " and " +
         std::to_string(after.size()) + " lines, the first difference in line " +
         std::to_string(same + 1) + "\n";
}

}  // namespace

std::string Escaped(std::string_view text) {
  return NeedsEscapes(text) ? Escape(text) : std::string(text);
}

std::string UnifiedDiff(std::string_view before_name, std::string_view after_name,
                        std::string_view before, std::string_view after) {
  if (before == after) return "";
  Writer writer(NeedsEscapes(before) || NeedsEscapes(after));
  writer.text = "--- " + std::string(before_name) + "\n+++ " + std::string(after_name) + "\n";
  if (writer.escapes())
    writer.text += "\\ characters without a shape are written \\u{...}, a backslash \\\\\n";
  const Lines old_lines = Split(before), new_lines = Split(after);
  const bool short_enough = old_lines.size() <= kMaxLines && new_lines.size() <= kMaxLines;
  const auto steps = short_enough ? Compare(old_lines, new_lines) : std::nullopt;
  if (!steps) return writer.text + SayOnly(old_lines, new_lines);
  writer.Write(*steps);
  if (writer.text.size() > kMaxDiffBytes) {
    size_t end = writer.text.rfind('\n', kMaxDiffBytes);
    writer.text.resize(end + 1);
    writer.text += "\\ the rest is not shown\n";
  }
  return writer.text;
}

}  // namespace skerry::inspect
