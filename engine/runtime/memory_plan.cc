#include "engine/runtime/memory_plan.h"

#include <algorithm>
#include <cstdio>

namespace skerry::engine {
namespace {

// Without --max-model-len a context shorter than this is not worth having.
constexpr int32_t kLeastContext = 64;

// "13.7 GiB", "42 MiB", "100 bytes".
std::string SizeText(uint64_t bytes) {
  char text[32];
  if (bytes < uint64_t{10} << 10) return std::to_string(bytes) + " bytes";
  if (bytes < uint64_t{10} << 20) return std::to_string(bytes >> 10) + " KiB";
  if (bytes < uint64_t{10} << 30) return std::to_string(bytes >> 20) + " MiB";
  std::snprintf(text, sizeof text, "%.1f GiB", static_cast<double>(bytes) / (uint64_t{1} << 30));
  return text;
}

std::string Percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", share);
  return text;
}

// Where the memory goes, up to the cache.
std::string Account(const MemoryNeeds& needs, uint64_t usable) {
  return SizeText(needs.available_bytes) + " are available, --gpu-memory-utilization " +
         Percent(needs.utilization) + " of that is " + SizeText(usable) + "; weights take " +
         SizeText(needs.weight_bytes) + ", the largest step " + SizeText(needs.activation_bytes);
}

}  // namespace

Result<MemoryPlan> PlanMemory(const MemoryNeeds& needs) {
  if (needs.max_model_len != 0 &&
      (needs.max_model_len < 2 || needs.max_model_len > needs.max_position)) {
    return Error(ErrorCode::kInvalidArgument,
                 "--max-model-len " + std::to_string(needs.max_model_len) +
                     ": must be 2 to the model's own " + std::to_string(needs.max_position));
  }
  const auto usable =
      static_cast<uint64_t>(static_cast<double>(needs.available_bytes) * needs.utilization);
  const uint64_t fixed = needs.weight_bytes + needs.activation_bytes;
  const uint64_t left = usable - std::min(usable, fixed);
  const std::string account = Account(needs, usable);
  if (needs.kv_cache_bytes > left) {
    return Error(ErrorCode::kExhausted, account + "; " + SizeText(left) +
                                            " are left, less than --kv-cache-memory-bytes " +
                                            SizeText(needs.kv_cache_bytes) +
                                            ": lower that, or free memory on this machine");
  }
  const uint64_t block_bytes = std::max<uint64_t>(needs.kv_block_bytes, 1);
  const uint64_t one_sequence =
      (static_cast<uint64_t>(needs.max_model_len) / needs.block_tokens + 2) * block_bytes;
  const uint64_t share = std::min(
      left,
      std::max(static_cast<uint64_t>(static_cast<double>(left) * needs.kv_share), one_sequence));
  const uint64_t cache = needs.kv_cache_bytes > 0 ? needs.kv_cache_bytes : share;
  // One block is the canary's.
  const uint64_t blocks = std::min<uint64_t>(cache / block_bytes, INT32_MAX / needs.block_tokens);
  const auto fitting =
      static_cast<int64_t>(blocks - std::min<uint64_t>(blocks, 1)) * needs.block_tokens;
  const int32_t wanted =
      needs.max_model_len != 0 ? needs.max_model_len : std::min(needs.max_position, kLeastContext);
  if (fitting < wanted) {
    return Error(ErrorCode::kExhausted,
                 account + "; what is left for keys and values, " + SizeText(cache) + ", holds " +
                     std::to_string(fitting) + " tokens of " +
                     std::to_string(block_bytes / needs.block_tokens) + " bytes, less than the " +
                     std::to_string(wanted) +
                     " of one sequence: lower --max-model-len or --max-num-batched-tokens, take a "
                     "smaller --kv-cache-dtype, or free memory on this machine");
  }
  MemoryPlan plan;
  plan.max_model_len = needs.max_model_len;
  if (plan.max_model_len == 0) {
    plan.max_model_len = static_cast<int32_t>(std::min<int64_t>(needs.max_position, fitting));
  }
  const int64_t per_sequence =
      (int64_t{plan.max_model_len} + needs.block_tokens - 1) / needs.block_tokens;
  plan.n_blocks = static_cast<int32_t>(
      std::min<int64_t>(fitting / needs.block_tokens, per_sequence * needs.max_num_seqs));
  plan.description = account + "; keys and values get " +
                     SizeText(static_cast<uint64_t>(plan.n_blocks) * block_bytes) + " for " +
                     std::to_string(int64_t{plan.n_blocks} * needs.block_tokens) + " tokens";
  return plan;
}

}  // namespace skerry::engine
