#include "engine/tokenizer/normalizer.h"

#include <algorithm>

#include "engine/unicode/category.h"
#include "engine/unicode/code_points.h"

namespace skerry::engine {
namespace {

using unicode::AppendCodePoint;
using unicode::IsIn;
using unicode::IsWhiteSpace;
using unicode::NextCodePoint;
using unicode::PreviousStart;

// Blocks of ideographs as BERT's normalizer lists them (one begins a page later than the block
// does).
bool IsBertIdeograph(uint32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

bool IsBertControl(uint32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  return IsIn(c, unicode::Bit(unicode::kCategoryCc) | unicode::Bit(unicode::kCategoryCf) |
                     unicode::Bit(unicode::kCategoryCn) | unicode::Bit(unicode::kCategoryCo));
}

// A character that belongs to the one before it.
bool Extends(uint32_t c) {
  return IsIn(c, unicode::kMarks) || c == 0x200C || c == 0x200D || (c >= 0x1F3FB && c <= 0x1F3FF);
}

// The end of the character at `start` with what belongs to it: close to the extended grapheme
// clusters of Unicode's annex 29, and equal where it matters, in clusters of less than six bytes.
size_t ClusterEnd(std::string_view text, size_t start) {
  size_t end = start;
  const uint32_t first = NextCodePoint(text, &end);
  if (first == '\r' && end < text.size() && text[end] == '\n') return end + 1;
  if (IsIn(first, unicode::Bit(unicode::kCategoryCc) | unicode::Bit(unicode::kCategoryZl) |
                      unicode::Bit(unicode::kCategoryZp))) {
    return end;
  }
  while (end < text.size()) {
    size_t next = end;
    if (!Extends(NextCodePoint(text, &next))) break;
    end = next;
  }
  return end;
}

}  // namespace

std::string NormalFormNormalizer::Normalize(std::string_view text) const {
  return unicode::Normalize(text, form_);
}

std::string LowercaseNormalizer::Normalize(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) unicode::AppendLower(NextCodePoint(text, &at), out);
  return out;
}

std::string ReplaceNormalizer::Normalize(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  pattern_.ForEach(text, [&](size_t start, size_t end, bool is_match) {
    out += is_match ? std::string_view(content_) : text.substr(start, end - start);
  });
  return out;
}

std::string PrependNormalizer::Normalize(std::string_view text) const {
  return text.empty() ? std::string() : prefix_ + std::string(text);
}

std::string StripNormalizer::Normalize(std::string_view text) const {
  size_t start = 0;
  size_t end = text.size();
  for (size_t next = 0; left_ && next < text.size(); start = next) {
    if (!IsWhiteSpace(NextCodePoint(text, &next))) break;
  }
  while (right_ && end > start) {
    const size_t previous = PreviousStart(text, end);
    size_t at = previous;
    if (!IsWhiteSpace(NextCodePoint(text, &at))) break;
    end = previous;
  }
  return std::string(text.substr(start, end - start));
}

std::string StripAccentsNormalizer::Normalize(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    if (!IsIn(NextCodePoint(text, &at), unicode::Bit(unicode::kCategoryMn))) {
      out += text.substr(start, at - start);
    }
  }
  return out;
}

std::string BertNormalizer::Normalize(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = NextCodePoint(text, &at);
    if (options_.clean_text && (c == 0 || c == 0xFFFD || IsBertControl(c))) continue;
    if (options_.clean_text && IsWhiteSpace(c)) {
      out += ' ';
    } else if (options_.handle_chinese_chars && IsBertIdeograph(c)) {
      out += ' ';
      AppendCodePoint(c, out);
      out += ' ';
    } else {
      AppendCodePoint(c, out);
    }
  }
  if (options_.strip_accents) {
    out = StripAccentsNormalizer().Normalize(unicode::Normalize(out, unicode::NormalForm::kNfd));
  }
  return options_.lowercase ? LowercaseNormalizer().Normalize(out) : out;
}

std::string CharsMapNormalizer::Normalize(std::string_view text) const {
  return longest_match_ ? ByLongestMatch(text) : ByClusters(text);
}

std::string CharsMapNormalizer::ByClusters(std::string_view text) const {
  constexpr size_t kWholeBelow = 6;  // bytes; longer clusters are replaced character by character
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t end = ClusterEnd(text, at);
    const std::string_view cluster = text.substr(at, end - at);
    at = end;
    if (cluster.size() < kWholeBelow) {
      if (const auto match = map_.Shortest(cluster)) {
        out += match->replacement;
        continue;
      }
    }
    for (size_t i = 0; i < cluster.size();) {
      const size_t start = i;
      NextCodePoint(cluster, &i);
      const std::string_view one = cluster.substr(start, i - start);
      const auto match = map_.Shortest(one);
      out += match ? match->replacement : one;
    }
  }
  return out;
}

std::string CharsMapNormalizer::ByLongestMatch(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    if (const auto match = map_.Longest(text.substr(at, 256))) {
      out += match->replacement;
      at += match->length;
      continue;
    }
    const size_t start = at;
    NextCodePoint(text, &at);
    out += text.substr(start, at - start);
  }
  return out;
}

std::string CollapseSpacesNormalizer::Normalize(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out += c;
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string NormalizerSequence::Normalize(std::string_view text) const {
  std::string out(text);
  for (const auto& part : parts_) out = part->Normalize(out);
  return out;
}

}  // namespace skerry::engine
