// What happens to a text before it is cut into words: the normalizers of tokenizer.json.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizer/charsmap.h"
#include "engine/tokenizer/regex.h"
#include "engine/unicode/normal_form.h"

namespace skerry::engine {

// Immutable, thread-safe. Text is valid UTF-8 before and after.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual std::string Normalize(std::string_view text) const = 0;
  // No text of `bytes` bytes becomes shorter than this.
  virtual size_t LeastBytes(size_t bytes) const {
    (void)bytes;
    return 0;
  }
};

class NormalFormNormalizer final : public Normalizer {
 public:
  explicit NormalFormNormalizer(unicode::NormalForm form) : form_(form) {}
  std::string Normalize(std::string_view text) const override;
  // Three bytes become one at most (U+212A becomes K, three Hangul letters one syllable), where the
  // form does not replace characters by similar ones.
  size_t LeastBytes(size_t bytes) const override {
    const bool exact = form_ == unicode::NormalForm::kNfc || form_ == unicode::NormalForm::kNfd;
    return exact ? bytes / 3 : 0;
  }

 private:
  unicode::NormalForm form_;
};

class LowercaseNormalizer final : public Normalizer {
 public:
  std::string Normalize(std::string_view text) const override;
};

// Every match becomes `content`.
class ReplaceNormalizer final : public Normalizer {
 public:
  // `max_match_bytes`: no match is longer; 0 when that is not known.
  ReplaceNormalizer(Regex pattern, size_t max_match_bytes, std::string content)
      : pattern_(std::move(pattern)),
        max_match_bytes_(max_match_bytes),
        content_(std::move(content)) {}
  std::string Normalize(std::string_view text) const override;
  size_t LeastBytes(size_t bytes) const override {
    return max_match_bytes_ > 0 && content_.size() >= max_match_bytes_ ? bytes : 0;
  }

 private:
  Regex pattern_;
  size_t max_match_bytes_;
  std::string content_;
};

// Puts `prefix` before a text that is not empty.
class PrependNormalizer final : public Normalizer {
 public:
  explicit PrependNormalizer(std::string prefix) : prefix_(std::move(prefix)) {}
  std::string Normalize(std::string_view text) const override;
  size_t LeastBytes(size_t bytes) const override { return bytes; }

 private:
  std::string prefix_;
};

// Takes white space at the ends away.
class StripNormalizer final : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}
  std::string Normalize(std::string_view text) const override;

 private:
  bool left_;
  bool right_;
};

// Takes marks without a width of their own away (Mn); behind NFD these are the accents.
class StripAccentsNormalizer final : public Normalizer {
 public:
  std::string Normalize(std::string_view text) const override;
};

struct BertNormalizerOptions {
  bool clean_text = true;            // no control characters, white space becomes spaces
  bool handle_chinese_chars = true;  // spaces around ideographs
  bool strip_accents = true;
  bool lowercase = true;
};

class BertNormalizer final : public Normalizer {
 public:
  explicit BertNormalizer(BertNormalizerOptions options) : options_(options) {}
  std::string Normalize(std::string_view text) const override;

 private:
  BertNormalizerOptions options_;
};

// A table compiled into the model ("Precompiled"), applied to each character with its marks, as
// Hugging Face does, or to the longest match at each place, as SentencePiece does.
class CharsMapNormalizer final : public Normalizer {
 public:
  CharsMapNormalizer(CharsMap map, bool longest_match)
      : map_(std::move(map)), longest_match_(longest_match) {}
  std::string Normalize(std::string_view text) const override;

 private:
  std::string ByClusters(std::string_view text) const;
  std::string ByLongestMatch(std::string_view text) const;

  CharsMap map_;
  bool longest_match_;
};

// No white space at the ends, and one space where there are several, as SentencePiece does.
class CollapseSpacesNormalizer final : public Normalizer {
 public:
  std::string Normalize(std::string_view text) const override;
};

class NormalizerSequence final : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<std::unique_ptr<Normalizer>> parts)
      : parts_(std::move(parts)) {}
  std::string Normalize(std::string_view text) const override;
  size_t LeastBytes(size_t bytes) const override {
    for (const auto& part : parts_) bytes = part->LeastBytes(bytes);
    return bytes;
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

}  // namespace skerry::engine
