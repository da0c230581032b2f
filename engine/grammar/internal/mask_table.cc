#include "engine/grammar/internal/mask_table.h"

#include <algorithm>
#include <bit>
#include <span>

namespace skerry::engine::internal {

std::shared_ptr<const TokenMask> MaskTable::Mask(ConfigId config) {
  const auto found = masks_.find(config);
  if (found != masks_.end()) return found->second;
  auto mask = std::make_shared<const TokenMask>(ComputeMask(config));
  constexpr size_t kPerEntry = 64;  // of a hash table, with its node
  bytes_ += mask->Bytes() + sizeof(TokenMask) + kPerEntry;
  masks_.emplace(config, mask);
  return mask;
}

TokenMask MaskTable::ComputeMask(ConfigId config) {
  TokenMask mask;
  mask.can_end = automaton_.CanEnd(config);
  std::vector<uint32_t> words(vocabulary_.mask_words());
  const TokenTrie* trie = &vocabulary_.trie();
  for (const TokenSlice& slice : vocabulary_.slices()) {
    size_t length = 0;
    if (!Absorbs(config, slice.chars, length)) continue;
    if (length > 0) mask.slice = &slice.up_to[length];
    trie = &slice.others;
    break;
  }
  WalkTrie(*trie, config, /*skip_space=*/false, words);
  Compress(std::move(words), mask);
  return mask;
}

TokenMask MaskTable::MaskBehindSpace(ConfigId config) {
  TokenMask mask;
  mask.can_end = automaton_.CanEnd(config);
  std::vector<uint32_t> words(vocabulary_.mask_words());
  WalkTrie(vocabulary_.trie(), config, /*skip_space=*/true, words);
  Compress(std::move(words), mask);
  return mask;
}

void MaskTable::Compress(std::vector<uint32_t> words, TokenMask& mask) const {
  vocabulary_.AddTwins(words);
  size_t count = 0;
  for (const uint32_t word : words) count += static_cast<size_t>(std::popcount(word));
  mask.empty = count == 0 && mask.slice == nullptr && !mask.can_end;
  if (count < words.size()) {
    mask.tokens.reserve(count);
    for (size_t i = 0; i < words.size(); ++i) {
      for (uint32_t rest = words[i]; rest != 0; rest &= rest - 1) {
        mask.tokens.push_back(static_cast<uint32_t>(i * 32) +
                              static_cast<uint32_t>(std::countr_zero(rest)));
      }
    }
    return;
  }
  if (mask.slice != nullptr) {
    for (size_t i = 0; i < words.size(); ++i) words[i] |= (*mask.slice)[i];
    mask.slice = nullptr;
  }
  mask.words = std::move(words);
}

void MaskTable::WalkTrie(const TokenTrie& trie, ConfigId config, bool skip_space,
                         std::vector<uint32_t>& words) {
  std::array<ConfigId, TokenTrie::kMaxTokenBytes + 1> path;  // by depth
  path[0] = config;
  const TokenTrie::Node* nodes = trie.nodes.data();
  const size_t n_nodes = trie.nodes.size();
  size_t work = 0;
  for (size_t at = 0; at < n_nodes;) {
    const TokenTrie::Node node = nodes[at];
    const ConfigId from = path[node.depth];
    work += automaton_.CountItems(from);
    if (work > kMaxWork && node.depth > 0) {
      at += node.n_nodes;
      continue;
    }
    const bool skipped = skip_space && node.depth == 0 && node.byte == ' ';
    const ConfigId next = skipped ? from : automaton_.Next(from, static_cast<uint8_t>(node.byte));
    if (next == Automaton::kDead) {
      at += node.n_nodes;
      continue;
    }
    if (node.token != TokenTrie::kNoToken) {
      words[node.token / 32] |= uint32_t{1} << node.token % 32;
    }
    path[node.depth + 1] = next;
    ++at;
  }
}

// The configurations that texts of one number of characters lead to.
struct MaskTable::Level {
  static constexpr size_t kMaxConfigs = 8;

  std::vector<ConfigId> configs;
  std::vector<ConfigId> next;
  bool some_dead = false;
  bool too_many = false;

  void Add(ConfigId config) {
    if (config == Automaton::kDead) {
      some_dead = true;
    } else if (std::ranges::find(next, config) == next.end()) {
      if (next.size() == kMaxConfigs) too_many = true;
      next.push_back(config);
    }
  }
};

void MaskTable::StepChars(const SliceChars& chars, Level& level) {
  level.next.clear();
  level.some_dead = false;
  for (const ConfigId config : level.configs) {
    uint32_t last_class = ~uint32_t{0};
    for (uint8_t byte = 0; byte < 0x80; ++byte) {
      if (!chars.ascii[byte] || automaton_.nfa().class_of[byte] == last_class) continue;
      last_class = automaton_.nfa().class_of[byte];
      level.Add(automaton_.NextOf(config, last_class));
    }
    if (chars.others) StepOtherChars(config, level);
    if (level.too_many) return;
  }
}

void MaskTable::StepOtherChars(ConfigId config, Level& level) {
  // Well-formed sequences: The Unicode Standard, table 3-7.
  struct Form {
    uint8_t first_lead, last_lead, first_second, last_second;
    int n_bytes;
  };
  constexpr Form kForms[] = {{0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
                             {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3},
                             {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
                             {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
  for (const Form& form : kForms) {
    std::vector<ConfigId> from = {config};
    std::vector<ConfigId> to;
    for (int i = 0; i < form.n_bytes && !level.too_many; ++i) {
      const uint8_t first = i == 0 ? form.first_lead : i == 1 ? form.first_second : 0x80;
      const uint8_t last = i == 0 ? form.last_lead : i == 1 ? form.last_second : 0xBF;
      to.clear();
      for (const ConfigId state : from) {
        // Classes are ranges of bytes in their order.
        for (uint32_t c = automaton_.nfa().class_of[first]; c <= automaton_.nfa().class_of[last];
             ++c) {
          const ConfigId next = automaton_.NextOf(state, c);
          if (next == Automaton::kDead) {
            level.some_dead = true;
          } else if (std::ranges::find(to, next) == to.end()) {
            to.push_back(next);
          }
        }
      }
      level.too_many = to.size() > Level::kMaxConfigs;
      from.swap(to);
    }
    for (const ConfigId next : from) level.Add(next);
  }
}

bool MaskTable::Absorbs(ConfigId config, const SliceChars& chars, size_t& length) {
  Level level;
  level.configs = {config};
  for (length = 0; length < TokenSlice::kMaxChars; ++length) {
    StepChars(chars, level);
    if (level.too_many) return false;
    if (level.some_dead) return level.next.empty();
    if (level.next == level.configs) {  // it goes on like this
      length = TokenSlice::kMaxChars;
      return true;
    }
    level.configs.swap(level.next);
  }
  return true;
}

}  // namespace skerry::engine::internal
