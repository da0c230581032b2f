#include "engine/tokenizer/internal/byte_trie.h"

namespace skerry::engine::internal {

ByteTrie::ByteTrie() : edges_(64), values_{kNone} {}

void ByteTrie::Insert(std::string_view text, int32_t value) {
  uint32_t node = kRoot;
  for (const char byte : text) {
    uint32_t next = Walk(node, byte);
    if (next == kNowhere) {
      if (values_.size() * 2 > edges_.size()) Grow();
      next = static_cast<uint32_t>(values_.size());
      values_.push_back(kNone);
      const uint64_t key = uint64_t{node} << 8 | static_cast<uint8_t>(byte);
      size_t place = PlaceOf(key);
      while (edges_[place].key != kFree) place = (place + 1) & (edges_.size() - 1);
      edges_[place] = {key, next};
    }
    node = next;
  }
  if (values_[node] == kNone) values_[node] = value;
}

void ByteTrie::Grow() {
  std::vector<Edge> old(edges_.size() * 2);
  old.swap(edges_);
  for (const Edge& edge : old) {
    if (edge.key == kFree) continue;
    size_t place = PlaceOf(edge.key);
    while (edges_[place].key != kFree) place = (place + 1) & (edges_.size() - 1);
    edges_[place] = edge;
  }
}

}  // namespace skerry::engine::internal
