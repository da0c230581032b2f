// Strings of the interpreter: immutable UTF-8 that knows of each byte whether it came from the
// request or from the template.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/jinja/internal/arena.h"

namespace skerry::engine::jinja {

// Bytes from `start` to the next run's start (or the text's end) have one origin.
struct Run {
  uint32_t start;
  bool request;
};

struct TextBuffer;

// A view into memory that outlives the render (the arena's, the template's or the context's).
struct Text {
  const char* data = "";
  uint32_t size = 0;
  uint32_t n_chars = 0;  // code points
  const Run* runs = nullptr;
  uint32_t n_runs = 0;           // 0: one origin, `request`
  bool request = false;          // of all bytes; with runs: of some
  bool markup = false;           // result of `safe` or `escape`: joining escapes the other side
  TextBuffer* buffer = nullptr;  // where more may be appended in place, if this text is its end

  std::string_view view() const { return {data, size}; }
  bool ascii() const { return n_chars == size; }
  // Of the byte at `offset`.
  bool RequestAt(uint32_t offset) const;
};

// Byte length of the code point that begins with `lead`, in valid UTF-8.
inline uint32_t CharBytes(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}
uint32_t CountChars(std::string_view text);
// The code point at data[*at], which is moved past it. Valid UTF-8 only.
uint32_t DecodeChar(std::string_view text, uint32_t* at);
// Surrogates and values beyond U+10FFFF become U+FFFD.
std::string EncodeChar(uint32_t code_point);
bool IsValidUtf8(std::string_view text);
// Byte offset of code point `index` (at most n_chars).
uint32_t ByteOffset(const Text& text, uint32_t index);

// Longest text that exists; growing past it marks the arena exhausted.
inline constexpr uint32_t kMaxTextBytes = 64u << 20;

// `data` must live as long as the arena.
Text* ViewText(Arena& arena, std::string_view data, bool request);
Text* CopyText(Arena& arena, std::string_view data, bool request);
// Bytes [begin, end) of `text`, which lie on code point borders. Markup stays markup.
Text* SliceText(Arena& arena, const Text* text, uint32_t begin, uint32_t end);
// Appending piece by piece to a growing left side costs no more than the right sides. Never markup.
Text* ConcatText(Arena& arena, const Text* left, const Text* right);

// Collects text with its origins. Past `max_bytes` it drops what comes and marks the arena.
class TextBuilder {
 public:
  explicit TextBuilder(Arena& arena, uint32_t max_bytes = kMaxTextBytes)
      : arena_(arena), max_bytes_(max_bytes) {}

  void Append(std::string_view bytes, bool request);
  void Append(const Text& text) { Append(text, 0, text.size); }
  // Bytes [begin, end) with their own origins, or all marked as the request's.
  void Append(const Text& text, uint32_t begin, uint32_t end, bool all_request = false);

  uint32_t size() const { return size_; }
  bool ends_with_request() const { return n_runs_ > 0 && runs_[n_runs_ - 1].request; }
  std::string_view view() const { return {data_, size_}; }
  // Shares the builder's memory: finish once.
  Text* Finish();
  const Run* runs() const { return runs_; }
  uint32_t n_runs() const { return n_runs_; }

 private:
  friend Text* ConcatText(Arena&, const Text*, const Text*);
  bool Reserve(size_t more);
  void Mark(bool request);

  Arena& arena_;
  uint32_t max_bytes_;
  char* data_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
  Run* runs_ = nullptr;
  uint32_t n_runs_ = 0;
  uint32_t runs_capacity_ = 0;
};

// The growing end of texts made by ConcatText.
struct TextBuffer {
  char* data;
  uint32_t used;
  uint32_t capacity;
  Run* runs;
  uint32_t n_runs;
  uint32_t runs_capacity;
};

}  // namespace skerry::engine::jinja
