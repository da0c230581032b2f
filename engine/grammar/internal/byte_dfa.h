// Regular sets of texts as tables over bytes, for what a grammar cannot say: both of two patterns,
// anything but some names.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/grammar/internal/expression.h"

namespace skerry::engine::internal {

// Begins at state 0; every state can come to an accepting one, except state 0 of the empty set.
struct ByteDfa {
  static constexpr size_t kMaxStates = 1 << 14;

  struct Edge {
    uint8_t first = 0;
    uint8_t last = 0;
    uint32_t target = 0;
  };
  std::vector<std::vector<Edge>> edges;  // by state; sorted, apart from each other
  std::vector<bool> accepting;

  bool IsEmpty() const { return edges.size() == 1 && !accepting[0]; }
  bool Accepts(std::string_view text) const;
};

// The texts of `source`'s root. kExhausted when there are too many states.
Result<ByteDfa> MakeDfa(const GrammarSource& source);
// Those of both. kExhausted as above.
Result<ByteDfa> Intersection(const ByteDfa& a, const ByteDfa& b);
// Those of `a` that are not in `b`.
Result<ByteDfa> Difference(const ByteDfa& a, const ByteDfa& b);

}  // namespace skerry::engine::internal
