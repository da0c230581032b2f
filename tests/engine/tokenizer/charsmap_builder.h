// Builds a precompiled_charsmap the simple way: every node of the trie has 256 units of its own.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace skerry::engine::testing {

inline std::string BuildCharsMap(const std::map<std::string, std::string>& replacements) {
  struct Node {
    std::map<uint8_t, size_t> children;
    int64_t value = -1;
  };
  std::vector<Node> nodes(1);
  std::string texts;
  for (const auto& [from, to] : replacements) {
    size_t node = 0;
    for (const char c : from) {
      const auto [found, is_new] =
          nodes[node].children.emplace(static_cast<uint8_t>(c), nodes.size());
      const size_t next = found->second;
      if (is_new) nodes.emplace_back();
      node = next;
    }
    nodes[node].value = static_cast<int64_t>(texts.size());
    texts += to + '\0';
  }
  std::vector<uint32_t> units(256 * (nodes.size() + 1));
  const auto base_of = [](size_t node) { return static_cast<uint32_t>(256 * (node + 1)); };
  const auto fill = [&](size_t node, uint32_t place, uint8_t label) {
    units[place] = (base_of(node) ^ place) << 10 | label;
    if (nodes[node].value < 0) return;
    units[place] |= 1u << 8;
    units[base_of(node)] = 0x80000000u | static_cast<uint32_t>(nodes[node].value);
  };
  fill(0, 0, 0);
  for (size_t node = 0; node < nodes.size(); ++node) {
    for (const auto& [label, child] : nodes[node].children) {
      fill(child, base_of(node) ^ label, label);
    }
  }
  const auto bytes = static_cast<uint32_t>(units.size() * sizeof(uint32_t));
  std::string out(sizeof(bytes) + bytes, '\0');
  std::memcpy(out.data(), &bytes, sizeof(bytes));
  std::memcpy(out.data() + sizeof(bytes), units.data(), bytes);
  return out + texts;
}

}  // namespace skerry::engine::testing
