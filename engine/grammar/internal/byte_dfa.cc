#include "engine/grammar/internal/byte_dfa.h"

#include <map>
#include <utility>

#include "engine/grammar/internal/automaton.h"
#include "engine/grammar/internal/nfa_builder.h"

namespace skerry::engine::internal {
namespace {

constexpr uint32_t kNowhere = ~uint32_t{0};
constexpr size_t kMaxAutomatonBytes = 16 << 20;

Error TooLarge() {
  return Error(ErrorCode::kExhausted, "patterns that are too large together: more than " +
                                          std::to_string(ByteDfa::kMaxStates) + " states");
}

void AddEdge(std::vector<ByteDfa::Edge>& edges, uint8_t byte, uint32_t target) {
  if (!edges.empty() && edges.back().target == target && edges.back().last + 1 == byte) {
    edges.back().last = byte;
  } else {
    edges.push_back({byte, byte, target});
  }
}

// Leaves out states that never come to an accepting one.
ByteDfa Trim(const ByteDfa& dfa) {
  const size_t n_states = dfa.edges.size();
  std::vector<std::vector<uint32_t>> sources(n_states);
  std::vector<bool> alive = dfa.accepting;
  std::vector<uint32_t> queue;
  for (uint32_t state = 0; state < n_states; ++state) {
    if (alive[state]) queue.push_back(state);
    for (const ByteDfa::Edge& edge : dfa.edges[state]) sources[edge.target].push_back(state);
  }
  for (size_t at = 0; at < queue.size(); ++at) {
    for (const uint32_t source : sources[queue[at]]) {
      if (alive[source]) continue;
      alive[source] = true;
      queue.push_back(source);
    }
  }
  ByteDfa trimmed;
  if (!alive[0]) {
    trimmed.edges.resize(1);
    trimmed.accepting.resize(1);
    return trimmed;
  }
  std::vector<uint32_t> numbers(n_states, kNowhere);
  uint32_t n_alive = 0;
  for (size_t state = 0; state < n_states; ++state) {
    if (alive[state]) numbers[state] = n_alive++;
  }
  for (size_t state = 0; state < n_states; ++state) {
    if (!alive[state]) continue;
    trimmed.accepting.push_back(dfa.accepting[state]);
    trimmed.edges.emplace_back();
    for (const ByteDfa::Edge& edge : dfa.edges[state]) {
      if (!alive[edge.target]) continue;
      trimmed.edges.back().push_back({edge.first, edge.last, numbers[edge.target]});
    }
  }
  return trimmed;
}

// By byte, where the state goes.
std::array<uint32_t, 256> Row(const ByteDfa& dfa, uint32_t state) {
  std::array<uint32_t, 256> row;
  row.fill(kNowhere);
  if (state == kNowhere) return row;
  for (const ByteDfa::Edge& edge : dfa.edges[state]) {
    for (int byte = edge.first; byte <= edge.last; ++byte) {
      row[static_cast<size_t>(byte)] = edge.target;
    }
  }
  return row;
}

// Both at once. `without`: what `b` accepts is taken away from `a`; else what it does not.
Result<ByteDfa> Product(const ByteDfa& a, const ByteDfa& b, bool without) {
  std::vector<std::pair<uint32_t, uint32_t>> states = {{0, 0}};
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> numbers = {{{0, 0}, 0}};
  ByteDfa product;
  for (size_t at = 0; at < states.size(); ++at) {
    const auto [in_a, in_b] = states[at];
    const bool b_accepts = in_b != kNowhere && b.accepting[in_b];
    product.accepting.push_back(a.accepting[in_a] && b_accepts != without);
    product.edges.emplace_back();
    const std::array<uint32_t, 256> row_a = Row(a, in_a);
    const std::array<uint32_t, 256> row_b = Row(b, in_b);
    for (size_t byte = 0; byte < 256; ++byte) {
      if (row_a[byte] == kNowhere || (row_b[byte] == kNowhere && !without)) continue;
      const auto [place, is_new] =
          numbers.try_emplace({row_a[byte], row_b[byte]}, static_cast<uint32_t>(states.size()));
      if (is_new) states.push_back(place->first);
      AddEdge(product.edges.back(), static_cast<uint8_t>(byte), place->second);
    }
    if (states.size() > ByteDfa::kMaxStates) return TooLarge();
  }
  return Trim(product);
}

}  // namespace

bool ByteDfa::Accepts(std::string_view text) const {
  uint32_t state = 0;
  for (const char c : text) {
    const uint32_t from = state;
    state = kNowhere;
    for (const Edge& edge : edges[from]) {
      const auto byte = static_cast<uint8_t>(c);
      if (edge.first <= byte && byte <= edge.last) state = edge.target;
    }
    if (state == kNowhere) return false;
  }
  return accepting[state];
}

Result<ByteDfa> MakeDfa(const GrammarSource& source) {
  const Nfa nfa = TRY(BuildNfa(source));
  Automaton automaton(nfa);
  std::vector<ConfigId> states = {automaton.start()};
  std::map<ConfigId, uint32_t> numbers = {{automaton.start(), 0}};
  ByteDfa dfa;
  for (size_t at = 0; at < states.size(); ++at) {
    dfa.accepting.push_back(automaton.CanEnd(states[at]));
    dfa.edges.emplace_back();
    for (int byte = 0; byte < 256; ++byte) {
      const ConfigId next = automaton.Next(states[at], static_cast<uint8_t>(byte));
      if (next == Automaton::kDead) continue;
      const auto [place, is_new] = numbers.try_emplace(next, static_cast<uint32_t>(states.size()));
      if (is_new) states.push_back(next);
      AddEdge(dfa.edges.back(), static_cast<uint8_t>(byte), place->second);
    }
    if (states.size() > ByteDfa::kMaxStates || automaton.Bytes() > kMaxAutomatonBytes) {
      return TooLarge();
    }
  }
  return Trim(dfa);
}

Result<ByteDfa> Intersection(const ByteDfa& a, const ByteDfa& b) {
  return Product(a, b, /*without=*/false);
}

Result<ByteDfa> Difference(const ByteDfa& a, const ByteDfa& b) {
  return Product(a, b, /*without=*/true);
}

}  // namespace skerry::engine::internal
