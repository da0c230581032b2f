// A set of texts that is walked byte by byte: which of them begin a text.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace skerry::engine::internal {

// Values are 0 or more. Edges lie in one open-addressed table: a vocabulary has a million of them.
class ByteTrie {
 public:
  static constexpr int32_t kNone = -1;
  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNowhere = ~uint32_t{0};

  ByteTrie();
  // The first value of a text counts.
  void Insert(std::string_view text, int32_t value);

  uint32_t Walk(uint32_t node, char byte) const {
    const uint64_t key = uint64_t{node} << 8 | static_cast<uint8_t>(byte);
    for (size_t place = PlaceOf(key);; place = (place + 1) & (edges_.size() - 1)) {
      if (edges_[place].key == key) return edges_[place].node;
      if (edges_[place].key == kFree) return kNowhere;
    }
  }
  int32_t ValueOf(uint32_t node) const { return values_[node]; }

 private:
  static constexpr uint64_t kFree = ~uint64_t{0};
  struct Edge {
    uint64_t key = kFree;
    uint32_t node = 0;
  };

  size_t PlaceOf(uint64_t key) const {
    key *= 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
    return (key ^ key >> 32) & (edges_.size() - 1);
  }
  void Grow();

  std::vector<Edge> edges_;  // a power of two, at most half full
  std::vector<int32_t> values_;
};

}  // namespace skerry::engine::internal
