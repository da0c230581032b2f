// A sequence as the scheduler sees it.
#pragma once

#include <vector>

#include "engine/scheduler/scheduler.h"

namespace skerry::engine {

struct Scheduler::Sequence {
  SequenceSpec spec;  // the prompt lies in `tokens`
  Tenant* tenant = nullptr;
  uint64_t arrival = 0;  // kept when it is preempted
  std::vector<TokenId> tokens;
  int32_t prompt_length = 0;
  int32_t full_length = 0;

  int32_t computed = 0;          // tokens whose keys and values are in `blocks`
  std::vector<BlockId> blocks;   // enough for all tokens it had when it was admitted
  std::vector<BlockName> names;  // of its full blocks, as far as they were needed
  int32_t planned = 0;           // tokens in the step that is being planned

  bool running = false;
  bool was_admitted = false;
  int32_t cached_tokens = 0;
  int32_t n_preemptions = 0;
  int32_t n_overtaken = 0;  // admissions of others while its blocks were not free

  int32_t n_tokens() const { return static_cast<int32_t>(tokens.size()); }
  int32_t pending() const { return n_tokens() - computed; }
  bool generates() const { return pending() == 1; }

  // Preempted twice, it goes to the front of its priority: no sequence is thrown out over and over.
  bool is_protected() const { return n_preemptions >= 2; }

  // Whether this one keeps its blocks and `other` gives way when there are too few.
  bool Outranks(const Sequence& other) const {
    if (spec.priority != other.spec.priority) return spec.priority < other.spec.priority;
    if (is_protected() != other.is_protected()) return is_protected();
    if (!is_protected() && tenant->share() != other.tenant->share()) {
      return tenant->share() < other.tenant->share();
    }
    return arrival < other.arrival;
  }
  // Whether its prompt is computed (or admitted, see Admit) before that of `other`.
  bool GoesBefore(const Sequence& other) const {
    if (spec.priority != other.spec.priority) return spec.priority < other.spec.priority;
    if (tenant->clock != other.tenant->clock) return tenant->clock < other.tenant->clock;
    return arrival < other.arrival;
  }
};

}  // namespace skerry::engine
