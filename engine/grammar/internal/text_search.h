// Finds the first of some texts in bytes that come one by one: the automaton of Aho and Corasick
// ("Efficient string matching: an aid to bibliographic search", 1975).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skerry::engine::internal {

class TextSearch {
 public:
  // None of `texts` is empty. A search begins at node 0.
  explicit TextSearch(const std::vector<std::string>& texts);

  size_t size() const { return next_.size(); }
  // Where a byte leads: to the longest end of what was read that begins a text.
  uint32_t Next(size_t node, uint8_t byte) const { return next_[node][byte]; }
  // The number of the text that ends at `node`.
  std::optional<size_t> Found(size_t node) const { return found_[node]; }

 private:
  void Add(const std::string& text, size_t number);
  void Complete();

  std::vector<std::array<uint32_t, 256>> next_;
  std::vector<std::optional<size_t>> found_;
};

}  // namespace skerry::engine::internal
