#include "engine/tokenizer/charsmap.h"

#include <cstring>

#include "engine/tokenizer/utf8.h"

namespace skerry::engine {
namespace {

// A unit of the trie: 8 bits of label, a flag that a value follows, and the distance of its
// children.
bool HasLeaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t Value(uint32_t unit) { return unit & 0x7FFFFFFF; }
uint32_t Label(uint32_t unit) { return unit & 0x800000FF; }
uint32_t Offset(uint32_t unit) { return unit >> 10 << ((unit & (1u << 9)) >> 6); }

Error Bad(const std::string& what) {
  return Error(ErrorCode::kCorrupt, "precompiled_charsmap: " + what);
}

}  // namespace

Result<CharsMap> CharsMap::Parse(std::string_view bytes) {
  uint32_t trie_bytes = 0;
  if (bytes.size() > kMaxBytes)
    return Error(ErrorCode::kExhausted, "precompiled_charsmap: too large");
  if (bytes.size() < sizeof(trie_bytes)) return Bad("shorter than its head");
  std::memcpy(&trie_bytes, bytes.data(), sizeof(trie_bytes));
  bytes.remove_prefix(sizeof(trie_bytes));
  if (trie_bytes % sizeof(uint32_t) != 0 || trie_bytes == 0 || trie_bytes > bytes.size()) {
    return Bad("its trie of " + std::to_string(trie_bytes) + " bytes does not fit");
  }
  CharsMap map;
  map.units_.resize(trie_bytes / sizeof(uint32_t));
  std::memcpy(map.units_.data(), bytes.data(), trie_bytes);
  map.replacements_ = bytes.substr(trie_bytes);
  if (!map.replacements_.empty() && map.replacements_.back() != '\0') {
    return Bad("the last replacement has no end");
  }
  if (!IsValidUtf8(map.replacements_)) return Bad("a replacement is not UTF-8");
  return map;
}

std::string_view CharsMap::Replacement(uint32_t offset) const {
  if (offset >= replacements_.size()) return "";
  return {replacements_.data() + offset};
}

std::optional<CharsMap::Match> CharsMap::Find(std::string_view text, bool longest) const {
  std::optional<Match> found;
  uint32_t node = Offset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    if (node >= units_.size() || byte == 0) return found;
    const uint32_t unit = units_[node];
    if (Label(unit) != byte) return found;
    node ^= Offset(unit);
    if (!HasLeaf(unit)) continue;
    if (node >= units_.size()) return found;
    found = {i + 1, Replacement(Value(units_[node]))};
    if (!longest) return found;
  }
  return found;
}

}  // namespace skerry::engine
