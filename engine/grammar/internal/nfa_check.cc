#include "engine/grammar/internal/nfa_check.h"

#include <algorithm>
#include <vector>

#include "engine/grammar/internal/nfa_builder.h"

namespace skerry::engine::internal {
namespace {

// Which states have an edge to a state, or a call that concerns it.
class Backwards {
 public:
  struct Edge {
    uint32_t from = 0;
    uint32_t call = ~uint32_t{0};  // none: an edge without a call
    bool byte = false;
  };

  explicit Backwards(const Nfa& nfa) : edges_(nfa.states.size()) {
    for (uint32_t from = 0; from < nfa.states.size(); ++from) {
      const Nfa::State& state = nfa.states[from];
      for (uint32_t i = 0; i < state.n_bytes; ++i) {
        edges_[nfa.byte_edges[state.first_byte + i].target].push_back({from, ~uint32_t{0}, true});
      }
      for (uint32_t i = 0; i < state.n_empty; ++i) {
        edges_[nfa.empty_edges[state.first_empty + i]].push_back({from, ~uint32_t{0}, false});
      }
      for (uint32_t i = 0; i < state.n_calls; ++i) {
        const uint32_t call = nfa.call_edges[state.first_call + i];
        edges_[nfa.calls[call].target].push_back({from, call, false});
        edges_[nfa.calls[call].start].push_back({from, call, false});
      }
    }
  }

  const std::vector<Edge>& To(uint32_t state) const { return edges_[state]; }

 private:
  std::vector<std::vector<Edge>> edges_;
};

void ComputeHeights(Nfa& nfa, const Backwards& backwards) {
  std::vector<uint32_t> queue;
  for (uint32_t i = 0; i < nfa.states.size(); ++i) {
    if (!nfa.states[i].end) continue;
    nfa.states[i].height = 0;
    queue.push_back(i);
  }
  const auto height = [&](uint32_t state) { return nfa.states[state].height; };
  // Heights only fall, and there are few different ones: each state is queued a few times.
  for (size_t at = 0; at < queue.size(); ++at) {
    const uint32_t state = queue[at];
    for (const Backwards::Edge& edge : backwards.To(state)) {
      uint32_t through = height(state);
      if (edge.call != ~uint32_t{0}) {
        const Nfa::Call& call = nfa.calls[edge.call];
        through = height(call.target);
        if (call.least > 0) {
          const uint32_t inside = height(call.start);
          if (inside == Nfa::kInfinite) continue;
          through = std::max(through, inside + (call.tail ? 0 : 1));
        }
        if (height(call.target) == Nfa::kInfinite) continue;
      }
      if (through >= height(edge.from)) continue;
      nfa.states[edge.from].height = through;
      queue.push_back(edge.from);
    }
  }
}

// Which states can come to an end without a byte.
std::vector<bool> ComputeNullable(const Nfa& nfa, const Backwards& backwards) {
  std::vector<bool> nullable(nfa.states.size());
  std::vector<uint32_t> queue;
  for (uint32_t i = 0; i < nfa.states.size(); ++i) {
    if (!nfa.states[i].end) continue;
    nullable[i] = true;
    queue.push_back(i);
  }
  for (size_t at = 0; at < queue.size(); ++at) {
    for (const Backwards::Edge& edge : backwards.To(queue[at])) {
      if (edge.byte || nullable[edge.from]) continue;
      if (edge.call != ~uint32_t{0}) {
        const Nfa::Call& call = nfa.calls[edge.call];
        if (!nullable[call.target] || (call.least > 0 && !nullable[call.start])) continue;
      }
      nullable[edge.from] = true;
      queue.push_back(edge.from);
    }
  }
  return nullable;
}

// Looks for a call that is reached from its own start without a byte: frames would pile up.
class LeftRecursion {
 public:
  LeftRecursion(const Nfa& nfa, const std::vector<bool>& nullable)
      : nfa_(nfa),
        nullable_(nullable),
        mark_(nfa.states.size(), Mark::kNew),
        seen_(nfa.states.size()) {}

  // The states of a cycle; empty when there is none.
  std::vector<uint32_t> Find() {
    for (const Nfa::Call& call : nfa_.calls) {
      if (mark_[call.start] == Mark::kNew && Visit(call.start)) return path_;
    }
    return {};
  }

 private:
  enum class Mark : uint8_t { kNew, kOpen, kDone };
  struct Open {
    uint32_t start = 0;
    std::vector<uint32_t> callees;
    size_t next = 0;
  };

  bool Visit(uint32_t root) {
    std::vector<Open> stack;
    const auto open = [&](uint32_t start) {
      mark_[start] = Mark::kOpen;
      stack.push_back({start, Callees(start), 0});
    };
    open(root);
    while (!stack.empty()) {
      Open& top = stack.back();
      if (top.next == top.callees.size()) {
        mark_[top.start] = Mark::kDone;
        stack.pop_back();
        continue;
      }
      const uint32_t callee = top.callees[top.next++];
      if (mark_[callee] == Mark::kOpen) {
        bool inside = false;
        for (const Open& entry : stack) {
          inside = inside || entry.start == callee;
          if (inside) path_.push_back(entry.start);
        }
        return true;
      }
      if (mark_[callee] == Mark::kNew) open(callee);
    }
    return false;
  }

  // Starts of the calls that are reached from `start` without a byte and without entering one that
  // is not empty.
  std::vector<uint32_t> Callees(uint32_t start) {
    std::vector<uint32_t> callees;
    std::vector<uint32_t> queue = {start};
    seen_[start] = ++round_;
    const auto add = [&](uint32_t state) {
      if (seen_[state] == round_) return;
      seen_[state] = round_;
      queue.push_back(state);
    };
    for (size_t at = 0; at < queue.size(); ++at) {
      const Nfa::State& state = nfa_.states[queue[at]];
      for (uint32_t i = 0; i < state.n_empty; ++i) add(nfa_.empty_edges[state.first_empty + i]);
      for (uint32_t i = 0; i < state.n_calls; ++i) {
        const Nfa::Call& call = nfa_.calls[nfa_.call_edges[state.first_call + i]];
        callees.push_back(call.start);
        if (call.least == 0 || nullable_[call.start]) add(call.target);
      }
    }
    return callees;
  }

  const Nfa& nfa_;
  const std::vector<bool>& nullable_;
  std::vector<Mark> mark_;
  std::vector<uint32_t> seen_;  // by state: the round in which it was reached
  uint32_t round_ = 0;
  std::vector<uint32_t> path_;
};

// Edges to states without an end go away.
void Prune(Nfa& nfa) {
  const auto alive = [&](uint32_t state) { return nfa.states[state].height != Nfa::kInfinite; };
  for (Nfa::State& state : nfa.states) {
    const auto keep = [&](auto& edges, uint32_t first, uint32_t& count, auto&& good) {
      const auto begin = edges.begin() + first;
      count = static_cast<uint32_t>(std::stable_partition(begin, begin + count, good) - begin);
    };
    keep(nfa.byte_edges, state.first_byte, state.n_bytes,
         [&](const Nfa::ByteEdge& edge) { return alive(edge.target); });
    keep(nfa.empty_edges, state.first_empty, state.n_empty, alive);
    keep(nfa.call_edges, state.first_call, state.n_calls, [&](uint32_t call) {
      return alive(nfa.calls[call].target) &&
             (nfa.calls[call].least == 0 || alive(nfa.calls[call].start));
    });
  }
}

}  // namespace

Result<void> CheckNfa(Nfa& nfa, const std::map<uint32_t, std::string>& rule_names) {
  const Backwards backwards(nfa);
  const std::vector<bool> nullable = ComputeNullable(nfa, backwards);
  for (Nfa::Call& call : nfa.calls) {
    if (call.most == 1 || !nullable[call.start]) continue;
    if (call.most > NfaLimits::kMaxEmptyRepeat) {
      return Error(ErrorCode::kInvalidArgument, "what may be empty is repeated up to " +
                                                    std::to_string(call.most) + " times: at most " +
                                                    std::to_string(NfaLimits::kMaxEmptyRepeat) +
                                                    ", or without a bound");
    }
    call.least = 0;
  }
  const std::vector<uint32_t> cycle = LeftRecursion(nfa, nullable).Find();
  if (!cycle.empty()) {
    std::string name;
    for (const uint32_t start : cycle) {
      const auto found = rule_names.find(start);
      if (found != rule_names.end()) name = found->second;
    }
    return Error(ErrorCode::kInvalidArgument,
                 "rule '" + name +
                     "' begins with itself: write it as a repetition, or put the recursion last");
  }
  ComputeHeights(nfa, backwards);
  if (nfa.states[nfa.start].height == Nfa::kInfinite) {
    return Error(ErrorCode::kInvalidArgument, "nothing can match");
  }
  if (nfa.states[nfa.start].height > NfaLimits::kMaxFrames) {
    return Error(ErrorCode::kExhausted, "every text is nested too deeply");
  }
  Prune(nfa);
  return {};
}

}  // namespace skerry::engine::internal
