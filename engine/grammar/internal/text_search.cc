#include "engine/grammar/internal/text_search.h"

namespace skerry::engine::internal {

TextSearch::TextSearch(const std::vector<std::string>& texts) : next_(1), found_(1) {
  for (size_t i = 0; i < texts.size(); ++i) Add(texts[i], i);
  Complete();
}

void TextSearch::Add(const std::string& text, size_t number) {
  uint32_t node = 0;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (next_[node][byte] == 0) {
      next_[node][byte] = static_cast<uint32_t>(next_.size());
      next_.emplace_back();
      found_.emplace_back();
    }
    node = next_[node][byte];
  }
  if (!found_[node]) found_[node] = number;
}

// By length: what is shorter has all its edges.
void TextSearch::Complete() {
  std::vector<uint32_t> fallback(next_.size(), 0);
  std::vector<uint32_t> queue;
  for (const uint32_t node : next_[0]) {
    if (node != 0) queue.push_back(node);
  }
  for (size_t i = 0; i < queue.size(); ++i) {
    const uint32_t node = queue[i];
    if (!found_[node]) found_[node] = found_[fallback[node]];
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t other = next_[fallback[node]][byte];
      if (next_[node][byte] == 0) {
        next_[node][byte] = other;
      } else {
        fallback[next_[node][byte]] = other;
        queue.push_back(next_[node][byte]);
      }
    }
  }
}

}  // namespace skerry::engine::internal
