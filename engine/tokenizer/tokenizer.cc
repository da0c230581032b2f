#include "engine/tokenizer/tokenizer.h"

#include "engine/tokenizer/utf8.h"
#include "engine/unicode/category.h"
#include "engine/unicode/code_points.h"

namespace skerry::engine {
namespace {

std::string_view TrimWhiteSpace(std::string_view text) {
  while (!text.empty()) {
    const Utf8Step step = NextUtf8(text);
    size_t at = 0;
    if (step.kind != Utf8Kind::kComplete ||
        !unicode::IsWhiteSpace(unicode::NextCodePoint(text, &at))) {
      break;
    }
    text.remove_prefix(step.length);
  }
  while (!text.empty()) {
    size_t at = unicode::PreviousStart(text, text.size());
    const Utf8Step step = NextUtf8(text.substr(at));
    if (step.kind != Utf8Kind::kComplete || at + step.length != text.size() ||
        !unicode::IsWhiteSpace(unicode::NextCodePoint(text, &at))) {
      break;
    }
    text.remove_suffix(step.length);
  }
  return text;
}

// ToValidUtf8, and `ranges` for the new text: a character that reaches over a border is outside.
std::string ToValidUtf8(std::string_view text, std::vector<TextRange>& ranges) {
  std::string out;
  std::vector<TextRange> moved;
  size_t at = 0;
  size_t start = 0;  // of the new text, where the current range begins
  bool inside = false;
  for (auto range = ranges.begin(); at < text.size();) {
    if (range != ranges.end() && !inside && at >= range->start) {
      inside = true;
      start = out.size();
    }
    const Utf8Step step = NextUtf8(text.substr(at));
    if (inside && at + step.length > range->end) {
      if (out.size() > start) moved.push_back({start, out.size()});
      inside = false;
      ++range;
      continue;
    }
    out += step.kind == Utf8Kind::kComplete ? text.substr(at, step.length) : kReplacement;
    at += step.length;
  }
  if (inside && out.size() > start) moved.push_back({start, out.size()});
  ranges = std::move(moved);
  return out;
}

}  // namespace

std::vector<TokenId> Tokenizer::EncodeTrusted(std::string_view text,
                                              std::span<const TextRange> trusted) const {
  if (IsValidUtf8(text)) return EncodeValid(text, trusted);
  std::vector<TextRange> ranges(trusted.begin(), trusted.end());
  const std::string valid = ToValidUtf8(text, ranges);
  return EncodeValid(valid, ranges);
}

Result<void> Tokenizer::LimitTo(int32_t vocab_size) {
  if (this->vocab_size() <= vocab_size) return {};
  return Error(ErrorCode::kInvalidArgument,
               "the tokenizer has " + std::to_string(this->vocab_size()) +
                   " tokens, but the model knows " + std::to_string(vocab_size));
}

std::vector<TokenId> EncodeParts(const Tokenizer& tokenizer, std::span<const TextPart> parts) {
  std::string text;
  std::vector<TextRange> trusted;
  for (const TextPart& part : parts) {
    const size_t start = text.size();
    text += part.text;
    if (!part.trusted || part.text.empty()) continue;
    if (!trusted.empty() && trusted.back().end == start) {
      trusted.back().end = text.size();
    } else {
      trusted.push_back({start, text.size()});
    }
  }
  return tokenizer.EncodeTrusted(text, trusted);
}

// Trusted text counts for nothing: the name of one token may be long, and it may take white space
// beside it away.
size_t LeastTokens(const Tokenizer& tokenizer, std::span<const TextPart> parts) {
  size_t bytes = 0;
  for (const TextPart& part : parts) {
    if (!part.trusted) bytes += TrimWhiteSpace(part.text).size();
  }
  return tokenizer.LeastTokens(bytes);
}

std::vector<TokenId> EncodeWithControl(const Tokenizer& tokenizer, std::string_view text) {
  const TextPart part{text, /*trusted=*/true};
  std::vector<TokenId> ids = EncodeParts(tokenizer, {&part, 1});
  if (tokenizer.add_bos() && tokenizer.bos()) ids.insert(ids.begin(), *tokenizer.bos());
  if (tokenizer.add_eos() && tokenizer.eos()) ids.push_back(*tokenizer.eos());
  return ids;
}

}  // namespace skerry::engine
