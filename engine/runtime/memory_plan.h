// What fits: from the memory there is to the size of the key-value cache and the longest sequence,
// or a refusal with all the numbers. A pure function.
#pragma once

#include <cstdint>
#include <string>

#include "appliance/base/result.h"

namespace skerry::engine {

struct MemoryNeeds {
  uint64_t available_bytes = 0;
  double utilization = 1;         // the part of it that may be used
  uint64_t weight_bytes = 0;      // not yet taken off what is available
  uint64_t activation_bytes = 0;  // of the largest step
  uint64_t kv_block_bytes = 0;
  int32_t block_tokens = 0;
  uint64_t kv_cache_bytes = 0;  // wanted by the operator; 0: by kv_share
  // The part of what is left that keys and values get, or more where one sequence of the wanted
  // length needs it.
  double kv_share = 1;
  int32_t max_position = 0;   // the model's
  int32_t max_model_len = 0;  // wanted; 0: the model's, or less when that does not fit
  int32_t max_num_seqs = 1;
};

struct MemoryPlan {
  int32_t n_blocks = 0;  // of the cache, without the canary's
  int32_t max_model_len = 0;
  std::string description;  // for the log
};

// kInvalidArgument for a max_model_len that the model does not have, kExhausted when one sequence
// of that length does not fit.
Result<MemoryPlan> PlanMemory(const MemoryNeeds& needs);

}  // namespace skerry::engine
