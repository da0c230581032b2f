#include "engine/jinja/internal/text.h"

#include <algorithm>

namespace skerry::engine::jinja {

namespace {

const Run* RunOf(const Text& text, uint32_t offset) {
  const Run* after = std::upper_bound(text.runs, text.runs + text.n_runs, offset,
                                      [](uint32_t at, const Run& run) { return at < run.start; });
  return after - 1;
}

}  // namespace

bool Text::RequestAt(uint32_t offset) const {
  return n_runs == 0 ? request : RunOf(*this, offset)->request;
}

uint32_t CountChars(std::string_view text) {
  uint32_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

uint32_t DecodeChar(std::string_view text, uint32_t* at) {
  const auto byte = [&](uint32_t i) { return static_cast<unsigned char>(text[*at + i]); };
  const uint32_t lead = byte(0);
  const uint32_t n = std::min<uint32_t>(CharBytes(text[*at]), text.size() - *at);
  uint32_t value = n == 1 ? lead : lead & (0x7F >> n);
  for (uint32_t i = 1; i < n; ++i) value = value << 6 | (byte(i) & 0x3F);
  *at += n;
  return value;
}

std::string EncodeChar(uint32_t c) {
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = 0xFFFD;
  std::string result;
  const auto put = [&](uint32_t byte) { result.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
  return result;
}

bool IsValidUtf8(std::string_view text) {
  static constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  for (uint32_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead < 0x80) {
      ++at;
      continue;
    }
    const uint32_t n = CharBytes(text[at]);
    if (lead < 0xC2 || lead > 0xF4 || n > text.size() - at) return false;
    for (uint32_t i = 1; i < n; ++i) {
      if ((static_cast<unsigned char>(text[at + i]) & 0xC0) != 0x80) return false;
    }
    const uint32_t value = DecodeChar(text, &at);
    if (value < kSmallest[n] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
      return false;
    }
  }
  return true;
}

uint32_t ByteOffset(const Text& text, uint32_t index) {
  if (text.ascii()) return index;
  uint32_t at = 0;
  while (index-- > 0) at += CharBytes(text.data[at]);
  return at;
}

Text* ViewText(Arena& arena, std::string_view data, bool request) {
  if (data.size() > kMaxTextBytes) {
    arena.MarkExhausted();
    data = {};
  }
  Text* text = arena.New<Text>();
  text->data = data.data();
  text->size = static_cast<uint32_t>(data.size());
  text->n_chars = CountChars(data);
  text->request = request;
  return text;
}

Text* CopyText(Arena& arena, std::string_view data, bool request) {
  if (data.size() > kMaxTextBytes) return ViewText(arena, data, request);
  return ViewText(arena, arena.Copy(data), request);
}

Text* SliceText(Arena& arena, const Text* text, uint32_t begin, uint32_t end) {
  Text* slice = arena.New<Text>();
  slice->markup = text->markup;
  if (begin >= end) {
    slice->request = text->request && text->n_runs == 0;
    return slice;
  }
  slice->data = text->data + begin;
  slice->size = end - begin;
  slice->n_chars =
      text->ascii() ? slice->size : CountChars(std::string_view(slice->data, slice->size));
  slice->request = text->request;
  if (text->n_runs == 0) return slice;
  const Run* first = RunOf(*text, begin);
  const Run* last = RunOf(*text, end - 1);
  slice->request = first->request;
  if (first == last) return slice;
  slice->request = true;  // neighbours differ, so one of them is the request's
  slice->n_runs = static_cast<uint32_t>(last - first + 1);
  Run* runs = arena.NewArray<Run>(slice->n_runs);
  for (uint32_t i = 0; i < slice->n_runs; ++i) {
    runs[i] = {std::max(first[i].start, begin) - begin, first[i].request};
  }
  slice->runs = runs;
  return slice;
}

Text* ConcatText(Arena& arena, const Text* left, const Text* right) {
  TextBuilder builder(arena);
  TextBuffer* buffer = left->buffer;
  if (buffer != nullptr && left->data == buffer->data && left->size == buffer->used &&
      (left->n_runs == 0 ? buffer->n_runs <= 1 : left->n_runs == buffer->n_runs)) {
    builder.data_ = buffer->data;
    builder.size_ = buffer->used;
    builder.capacity_ = buffer->capacity;
    builder.runs_ = buffer->runs;
    builder.n_runs_ = buffer->n_runs;
    builder.runs_capacity_ = buffer->runs_capacity;
  } else {
    buffer = arena.New<TextBuffer>();
    builder.Append(*left);
  }
  builder.Append(*right);
  *buffer = {builder.data_, builder.size_,   builder.capacity_,
             builder.runs_, builder.n_runs_, builder.runs_capacity_};
  const uint32_t n_chars = left->n_chars + right->n_chars;
  Text* text = arena.New<Text>();
  if (builder.size_ > 0) text->data = builder.data_;
  text->size = builder.size_;
  text->n_chars = std::min(n_chars, text->size);
  text->buffer = buffer;
  text->request = left->request || right->request;
  if (builder.n_runs_ > 1) {
    text->runs = builder.runs_;
    text->n_runs = builder.n_runs_;
  } else if (builder.n_runs_ == 1) {
    text->request = builder.runs_[0].request;
  }
  return text;
}

bool TextBuilder::Reserve(size_t more) {
  if (more > max_bytes_ - std::min(size_, max_bytes_)) {
    arena_.MarkExhausted();
    return false;
  }
  const uint32_t wanted = size_ + static_cast<uint32_t>(more);
  if (wanted <= capacity_) return true;
  // The slack is what makes appending to a long text cheap.
  uint32_t capacity = std::max<uint32_t>({wanted, 32, std::min(capacity_ * 2, max_bytes_)});
  capacity = (capacity + 7) & ~7u;
  if (data_ != nullptr && arena_.GrowInPlace(data_, capacity_, capacity)) {
    capacity_ = capacity;
    return true;
  }
  char* data = arena_.Allocate(capacity);
  if (size_ > 0) std::memcpy(data, data_, size_);
  data_ = data;
  capacity_ = capacity;
  return true;
}

void TextBuilder::Mark(bool request) {
  if (n_runs_ > 0 && runs_[n_runs_ - 1].request == request) return;
  if (n_runs_ == runs_capacity_) {
    const uint32_t capacity = std::max<uint32_t>(2, runs_capacity_ * 2);
    Run* runs = arena_.NewArray<Run>(capacity);
    std::copy_n(runs_, n_runs_, runs);
    runs_ = runs;
    runs_capacity_ = capacity;
  }
  runs_[n_runs_++] = {size_, request};
}

void TextBuilder::Append(std::string_view bytes, bool request) {
  if (bytes.empty() || !Reserve(bytes.size())) return;
  Mark(request);
  std::memcpy(data_ + size_, bytes.data(), bytes.size());
  size_ += static_cast<uint32_t>(bytes.size());
}

void TextBuilder::Append(const Text& text, uint32_t begin, uint32_t end, bool all_request) {
  if (begin >= end) return;
  if (text.n_runs == 0 || all_request) {
    Append(text.view().substr(begin, end - begin), text.request || all_request);
    return;
  }
  for (const Run* run = RunOf(text, begin); run != text.runs + text.n_runs; ++run) {
    const uint32_t from = std::max(run->start, begin);
    const uint32_t to =
        std::min(run + 1 == text.runs + text.n_runs ? text.size : run[1].start, end);
    if (from >= to) break;
    Append(text.view().substr(from, to - from), run->request);
  }
}

Text* TextBuilder::Finish() {
  Text* text = arena_.New<Text>();
  if (size_ == 0) return text;
  text->data = data_;
  text->size = size_;
  text->n_chars = CountChars(view());
  text->request = n_runs_ > 1 || runs_[0].request;
  if (n_runs_ > 1) {
    text->runs = runs_;
    text->n_runs = n_runs_;
  }
  return text;
}

}  // namespace skerry::engine::jinja
