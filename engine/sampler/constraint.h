// What may come next in an answer that has to follow a grammar, as the sampler and the engine see
// it.
#pragma once

#include <cstdint>
#include <span>

#include "engine/device/ids.h"

namespace skerry::engine {

// One answer's. One thread.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;
  // Bit i % 32 of word i / 32 is set for tokens that may come next; empty: any. Valid until the
  // next call.
  virtual std::span<const uint32_t> Allowed() = 0;
  virtual void Accept(TokenId token) = 0;
};

}  // namespace skerry::engine
