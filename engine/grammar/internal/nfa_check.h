// What must hold for an automaton before it is run.
#pragma once

#include <map>
#include <string>

#include "appliance/base/result.h"
#include "engine/grammar/internal/nfa.h"

namespace skerry::engine::internal {

// Computes heights, cuts off what cannot come to an end, and lets a counted call of what may be
// empty begin at zero (the same texts). Refuses as BuildNfa says; `rule_names` by state.
Result<void> CheckNfa(Nfa& nfa, const std::map<uint32_t, std::string>& rule_names);

}  // namespace skerry::engine::internal
