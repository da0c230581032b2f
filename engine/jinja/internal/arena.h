// Memory of one template or of one render: handed out in order, given back all at once. Nothing in
// it has a destructor, so that no structure a template builds, however deep, is ever torn down
// recursively.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace skerry::engine::jinja {

// One thread. Past its budget it still hands out memory (so that callers need no check at each
// allocation) but says exhausted(); whoever runs steps asks that before every step and stops.
class Arena {
 public:
  explicit Arena(size_t budget_bytes) : budget_bytes_(budget_bytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Aligned to 8 bytes; not zeroed.
  char* Allocate(size_t bytes) {
    bytes = (bytes + 7) & ~size_t{7};
    if (bytes > left_) Refill(bytes);
    char* result = next_;
    next_ += bytes;
    left_ -= bytes;
    return result;
  }

  // Makes the block that Allocate or Grow gave last longer in place; false where it is not the
  // last one or the chunk has no room.
  bool GrowInPlace(char* block, size_t old_bytes, size_t new_bytes) {
    old_bytes = (old_bytes + 7) & ~size_t{7};
    new_bytes = (new_bytes + 7) & ~size_t{7};
    if (block + old_bytes != next_ || new_bytes - old_bytes > left_) return false;
    next_ += new_bytes - old_bytes;
    left_ -= new_bytes - old_bytes;
    return true;
  }

  template <typename T, typename... Args>
  T* New(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 8);
    return new (Allocate(sizeof(T))) T{std::forward<Args>(args)...};
  }

  // `n` default-made elements.
  template <typename T>
  T* NewArray(size_t n) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 8);
    T* result = reinterpret_cast<T*>(Allocate(n * sizeof(T)));
    for (size_t i = 0; i < n; ++i) new (result + i) T{};
    return result;
  }

  std::string_view Copy(std::string_view text) {
    char* data = Allocate(text.size());
    if (!text.empty()) std::memcpy(data, text.data(), text.size());
    return {data, text.size()};
  }

  bool exhausted() const { return exhausted_; }
  // What cannot be allowed at all (a string beyond its limit) is said the same way.
  void MarkExhausted() { exhausted_ = true; }
  size_t used_bytes() const { return used_bytes_; }

 private:
  void Refill(size_t bytes) {
    const size_t chunk_bytes = bytes > kChunkBytes / 4 ? bytes : kChunkBytes;
    used_bytes_ += chunk_bytes;
    exhausted_ = exhausted_ || used_bytes_ > budget_bytes_;
    chunks_.push_back(std::unique_ptr<char[]>(new char[chunk_bytes]));
    next_ = chunks_.back().get();
    left_ = chunk_bytes;
  }

  static constexpr size_t kChunkBytes = 64 << 10;

  size_t budget_bytes_;
  size_t used_bytes_ = 0;
  bool exhausted_ = false;
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace skerry::engine::jinja
