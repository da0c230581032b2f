// An Nfa made deterministic while it is used. A configuration is a set of (state, stack) pairs:
// everything that may follow a text depends on it alone, so each transition is computed once
// and remembered.
#pragma once

#include <compare>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/grammar/internal/nfa.h"

namespace skerry::engine::internal {

using ConfigId = uint32_t;

// One thread at a time. The grammar must outlive it.
class Automaton {
 public:
  static constexpr ConfigId kDead = 0;
  // Pairs of a configuration: of a grammar that is more ambiguous, some ways are not followed.
  static constexpr size_t kMaxItems = 4096;

  explicit Automaton(const Nfa& nfa);

  const Nfa& nfa() const { return nfa_; }
  ConfigId start() const { return start_; }
  ConfigId Next(ConfigId config, uint8_t byte) { return NextOf(config, nfa_.class_of[byte]); }
  // By class of bytes, see Nfa.
  ConfigId NextOf(ConfigId config, uint32_t byte_class) {
    const ConfigId next = rows_[size_t{config} * n_classes_ + byte_class];
    return next != kUnknown ? next : ComputeNext(config, byte_class);
  }
  // kDead when `bytes` cannot follow.
  ConfigId Walk(ConfigId config, std::string_view bytes);
  size_t CountItems(ConfigId config) const { return configs_[config].n_items; }
  bool CanEnd(ConfigId config) const { return configs_[config].can_end; }
  // Bytes that must follow, at most `limit`. Stops where the text may end, and before a control
  // token.
  std::string Forced(ConfigId config, size_t limit);

  // The configuration of `other`, an automaton of the same grammar, as one of this.
  ConfigId Import(const Automaton& other, ConfigId config);

  // Memory that is in use, about.
  size_t Bytes() const;

 private:
  static constexpr ConfigId kUnknown = ~uint32_t{0};
  static constexpr uint32_t kBottom = 0;  // the frame below all

  // Where to go at an end state.
  struct Frame {
    uint32_t call = 0;
    uint32_t count = 0;  // of times that the call was begun
    uint32_t parent = 0;
    uint32_t depth = 0;
  };
  struct Item {
    uint32_t state = 0;
    uint32_t frame = 0;
    auto operator<=>(const Item&) const = default;
  };
  struct Config {
    uint32_t first_item = 0;
    uint32_t n_items = 0;
    ConfigId same_hash = kUnknown;
    bool can_end = false;
  };
  struct PairHash {
    size_t operator()(const std::pair<uint64_t, uint64_t>& key) const;
  };

  ConfigId ComputeNext(ConfigId config, uint32_t byte_class);

  // The closure: everything that is reached without a byte from what Reach was told.
  void Begin();
  void Reach(uint32_t state, uint32_t frame);
  ConfigId Close();
  void Leave(uint32_t frame);
  void Enter(uint32_t call, uint32_t frame);
  uint32_t FrameOf(uint32_t call, uint32_t count, uint32_t parent);
  ConfigId Intern(const std::vector<Item>& items, bool can_end);
  uint32_t ImportFrame(const Automaton& other, uint32_t frame);

  const Nfa& nfa_;
  const uint32_t n_classes_;
  ConfigId start_ = kDead;

  std::vector<Config> configs_;
  std::vector<Item> items_;
  std::vector<ConfigId> rows_;  // [configs, n_classes]
  std::unordered_map<uint64_t, ConfigId> configs_by_hash_;
  std::vector<Frame> frames_;
  std::unordered_map<std::pair<uint64_t, uint64_t>, uint32_t, PairHash> frame_numbers_;

  // Working space of the closure.
  std::vector<Item> open_;
  std::vector<Item> closed_;
  std::vector<uint64_t> seen_;        // open addressing
  std::vector<uint32_t> seen_round_;  // the round that an entry of seen_ belongs to
  uint32_t round_ = 0;
  bool can_end_ = false;
};

}  // namespace skerry::engine::internal
