// One request to an encoder, and what both of its sources know.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/runtime/encoder.h"

namespace skerry::engine {

// Inputs of one step: enough to fill one with short texts.
inline constexpr int32_t kMaxStepInputs = 64;

// `inputs` never change and `vectors` are the encoder's thread's; the rest is guarded by mu_.
struct Encoder::Job {
  Job(EncodeRequest request, Done its_done, int64_t now)
      : inputs(std::move(request.inputs)),
        tenant(std::move(request.tenant)),
        done(std::move(its_done)),
        arrival_nanos(now),
        vectors(inputs.size()) {
    for (const std::vector<TokenId>& input : inputs) n_tokens += static_cast<int64_t>(input.size());
  }

  uint64_t id = 0;
  const std::vector<std::vector<TokenId>> inputs;
  const std::string tenant;
  Done done;
  const int64_t arrival_nanos;
  int64_t n_tokens = 0;
  size_t next = 0;  // first input that no step took
  Embeddings vectors;
};

}  // namespace skerry::engine
