#include "engine/grammar/internal/automaton.h"

#include <algorithm>
#include <span>

#include "engine/grammar/internal/nfa_builder.h"

namespace skerry::engine::internal {
namespace {

uint64_t Mix(uint64_t hash, uint64_t value) {
  constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
  hash = (hash ^ value) * kMultiplier;
  return hash ^ hash >> 29;
}

}  // namespace

size_t Automaton::PairHash::operator()(const std::pair<uint64_t, uint64_t>& key) const {
  return Mix(Mix(0, key.first), key.second);
}

Automaton::Automaton(const Nfa& nfa)
    : nfa_(nfa), n_classes_(nfa.n_classes()), seen_(4 * kMaxItems), seen_round_(4 * kMaxItems) {
  frames_.emplace_back();  // kBottom
  Intern({}, false);       // kDead
  Begin();
  Reach(nfa.start, kBottom);
  start_ = Close();
}

ConfigId Automaton::Walk(ConfigId config, std::string_view bytes) {
  for (const char byte : bytes) {
    if (config == kDead) break;
    config = Next(config, static_cast<uint8_t>(byte));
  }
  return config;
}

ConfigId Automaton::ComputeNext(ConfigId config, uint32_t byte_class) {
  const uint8_t byte = nfa_.byte_of_class[byte_class];
  Begin();
  const Config from = configs_[config];
  for (uint32_t i = 0; i < from.n_items; ++i) {
    const Item item = items_[from.first_item + i];
    const Nfa::State& state = nfa_.states[item.state];
    for (uint32_t e = 0; e < state.n_bytes; ++e) {
      const Nfa::ByteEdge& edge = nfa_.byte_edges[state.first_byte + e];
      if (edge.first <= byte && byte <= edge.last) Reach(edge.target, item.frame);
    }
  }
  const ConfigId next = Close();
  rows_[size_t{config} * n_classes_ + byte_class] = next;
  return next;
}

void Automaton::Begin() {
  open_.clear();
  closed_.clear();
  can_end_ = false;
  ++round_;
}

void Automaton::Reach(uint32_t state, uint32_t frame) {
  if (frames_[frame].depth + nfa_.states[state].height > NfaLimits::kMaxFrames) return;
  const uint64_t key = uint64_t{state} << 32 | frame;
  const size_t mask = seen_.size() - 1;
  for (size_t place = Mix(0, key) & mask;; place = (place + 1) & mask) {
    if (seen_round_[place] == round_) {
      if (seen_[place] == key) return;
      continue;
    }
    if (open_.size() >= kMaxItems) return;
    seen_round_[place] = round_;
    seen_[place] = key;
    open_.push_back({state, frame});
    return;
  }
}

ConfigId Automaton::Close() {
  for (size_t at = 0; at < open_.size(); ++at) {
    const Item item = open_[at];
    const Nfa::State& state = nfa_.states[item.state];
    if (state.n_bytes > 0) closed_.push_back(item);
    for (uint32_t i = 0; i < state.n_empty; ++i) {
      Reach(nfa_.empty_edges[state.first_empty + i], item.frame);
    }
    for (uint32_t i = 0; i < state.n_calls; ++i) {
      Enter(nfa_.call_edges[state.first_call + i], item.frame);
    }
    if (state.end) Leave(item.frame);
  }
  std::ranges::sort(closed_);
  return Intern(closed_, can_end_);
}

void Automaton::Enter(uint32_t call_number, uint32_t frame) {
  const Nfa::Call& call = nfa_.calls[call_number];
  if (call.tail) {
    Reach(call.start, frame);
    return;
  }
  const uint32_t depth = frames_[frame].depth;
  if (depth + nfa_.states[call.target].height > NfaLimits::kMaxFrames) return;
  if (nfa_.states[call.start].height < NfaLimits::kMaxFrames - depth) {
    Reach(call.start, FrameOf(call_number, 1, frame));
  }
  if (call.least == 0) Reach(call.target, frame);
}

void Automaton::Leave(uint32_t frame_number) {
  if (frame_number == kBottom) {
    can_end_ = true;
    return;
  }
  const Frame frame = frames_[frame_number];
  const Nfa::Call& call = nfa_.calls[frame.call];
  if (frame.count >= call.least) Reach(call.target, frame.parent);
  if (frame.count < call.most) {
    Reach(call.start, FrameOf(frame.call, frame.count + 1, frame.parent));
  }
}

uint32_t Automaton::FrameOf(uint32_t call, uint32_t count, uint32_t parent) {
  const auto [place, is_new] =
      frame_numbers_.try_emplace({uint64_t{call} << 32 | count, parent}, frames_.size());
  if (is_new) frames_.push_back({call, count, parent, frames_[parent].depth + 1});
  return place->second;
}

ConfigId Automaton::Intern(const std::vector<Item>& items, bool can_end) {
  uint64_t hash = can_end ? 1 : 0;
  for (const Item& item : items) hash = Mix(hash, uint64_t{item.state} << 32 | item.frame);
  const auto id = static_cast<ConfigId>(configs_.size());
  const auto [place, is_new] = configs_by_hash_.try_emplace(hash, id);
  ConfigId same_hash = kUnknown;
  if (!is_new) {
    for (ConfigId other = place->second; other != kUnknown; other = configs_[other].same_hash) {
      const Config& config = configs_[other];
      if (config.can_end == can_end &&
          std::ranges::equal(items, std::span(items_).subspan(config.first_item, config.n_items))) {
        return other;
      }
    }
    same_hash = place->second;
    place->second = id;
  }
  configs_.push_back({static_cast<uint32_t>(items_.size()), static_cast<uint32_t>(items.size()),
                      same_hash, can_end});
  items_.insert(items_.end(), items.begin(), items.end());
  // Nothing follows an empty configuration, the dead one among them.
  rows_.resize(rows_.size() + n_classes_, items.empty() ? kDead : kUnknown);
  return id;
}

std::string Automaton::Forced(ConfigId config, size_t limit) {
  std::string bytes;
  while (bytes.size() < limit && !CanEnd(config)) {
    ConfigId only = kDead;
    uint8_t byte = 0;
    for (uint32_t c = 0; c < n_classes_; ++c) {
      const ConfigId next = NextOf(config, c);
      if (next == kDead) continue;
      if (only != kDead || nfa_.class_sizes[c] > 1) return bytes;
      only = next;
      byte = nfa_.byte_of_class[c];
    }
    if (only == kDead || byte > kLastTextByte) return bytes;
    bytes += static_cast<char>(byte);
    config = only;
  }
  return bytes;
}

uint32_t Automaton::ImportFrame(const Automaton& other, uint32_t frame) {
  std::vector<Frame> path;  // from the top
  for (; frame != kBottom; frame = other.frames_[frame].parent) {
    path.push_back(other.frames_[frame]);
  }
  uint32_t number = kBottom;
  for (size_t i = path.size(); i-- > 0;) number = FrameOf(path[i].call, path[i].count, number);
  return number;
}

ConfigId Automaton::Import(const Automaton& other, ConfigId config) {
  if (config == kDead) return kDead;
  const Config& from = other.configs_[config];
  std::vector<Item> items;
  for (uint32_t i = 0; i < from.n_items; ++i) {
    const Item item = other.items_[from.first_item + i];
    items.push_back({item.state, ImportFrame(other, item.frame)});
  }
  std::ranges::sort(items);
  return Intern(items, from.can_end);
}

size_t Automaton::Bytes() const {
  constexpr size_t kPerEntry = 48;  // of a hash table, with its node
  return rows_.size() * sizeof(ConfigId) + items_.size() * sizeof(Item) +
         configs_.size() * (sizeof(Config) + kPerEntry) +
         frames_.size() * (sizeof(Frame) + kPerEntry);
}

}  // namespace skerry::engine::internal
