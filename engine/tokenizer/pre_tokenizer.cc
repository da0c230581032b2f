#include "engine/tokenizer/pre_tokenizer.h"

#include "engine/tokenizer/byte_level.h"

namespace skerry::engine {

void SplitPreTokenizer::Split(const Piece& piece, PieceSink out) const {
  const std::string_view text = piece.text;
  const auto emit = [&](size_t start, size_t end) {
    if (end > start) out({text.substr(start, end - start), piece.first && start == 0});
  };
  // The piece that still may grow.
  size_t start = 0;
  size_t end = 0;
  bool last_match = false;
  const auto begin = [&](size_t from, size_t to) {
    emit(start, end);
    start = from;
    end = to;
  };
  pattern_.ForEach(text, [&](size_t from, size_t to, bool is_match) {
    is_match = is_match != invert_;
    switch (behavior_) {
      case SplitBehavior::kRemoved:
        if (!is_match) emit(from, to);
        break;
      case SplitBehavior::kIsolated:
        emit(from, to);
        break;
      case SplitBehavior::kContiguous:
        if (end > start && is_match == last_match) {
          end = to;
        } else {
          begin(from, to);
        }
        break;
      case SplitBehavior::kMergedWithPrevious:
        if (is_match && !last_match) {
          end = to;  // the first of several matches joins what stands before it
        } else {
          begin(from, to);
        }
        break;
      case SplitBehavior::kMergedWithNext:
        if (last_match && !is_match) {
          end = to;  // the last of several matches joins what stands behind it
        } else {
          begin(from, to);
        }
        break;
    }
    last_match = is_match;
  });
  emit(start, end);
}

void PrefixSpacePreTokenizer::Split(const Piece& piece, PieceSink out) const {
  if (piece.text.starts_with(' ')) {
    out(piece);
    return;
  }
  const std::string text = " " + std::string(piece.text);
  out({text, piece.first});
}

void ByteLevelPreTokenizer::Split(const Piece& piece, PieceSink out) const {
  const std::string text = EncodeByteLevel(piece.text);
  out({text, piece.first});
}

Result<std::unique_ptr<MetaspacePreTokenizer>> MetaspacePreTokenizer::Create(
    std::string replacement, PrefixScheme scheme, bool split) {
  std::optional<SplitPreTokenizer> words;
  Regex pattern = TRY(Regex::CreateLiteral(replacement));
  if (split) words.emplace(std::move(pattern), SplitBehavior::kMergedWithNext, /*invert=*/false);
  return std::unique_ptr<MetaspacePreTokenizer>(
      new MetaspacePreTokenizer(std::move(replacement), scheme, std::move(words)));
}

void MetaspacePreTokenizer::Split(const Piece& piece, PieceSink out) const {
  std::string text;
  text.reserve(piece.text.size() + piece.text.size() / 2 + replacement_.size());
  const bool wants_prefix =
      scheme_ == PrefixScheme::kAlways || (scheme_ == PrefixScheme::kFirst && piece.first);
  if (wants_prefix && !piece.text.starts_with(' ') && !piece.text.starts_with(replacement_)) {
    text = replacement_;
  }
  for (const char c : piece.text) {
    if (c == ' ') {
      text += replacement_;
    } else {
      text += c;
    }
  }
  const Piece spaced{text, piece.first};
  if (words_) {
    words_->Split(spaced, out);
  } else {
    out(spaced);
  }
}

void PreTokenizerSequence::SplitFrom(size_t part, const Piece& piece, PieceSink out) const {
  if (part == parts_.size()) {
    out(piece);
    return;
  }
  parts_[part]->Split(piece, [&](const Piece& smaller) { SplitFrom(part + 1, smaller, out); });
}

}  // namespace skerry::engine
