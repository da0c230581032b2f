// The model as scheduler, runtime and tests see it: token ids in, logits out, keys and values in a
// paged cache. An interface, so that everything above it is tested with a fake.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "appliance/base/result.h"
#include "engine/device/device.h"
#include "engine/device/ids.h"

namespace skerry::engine {

struct ModelInfo {
  int32_t vocab_size = 0;
  int32_t max_position = 0;             // longest context the checkpoint was made for, tokens
  int32_t block_tokens = kBlockTokens;  // tokens per cache block
  uint64_t kv_bytes_per_block = 0;      // for all layers, keys and values
  uint64_t weight_bytes = 0;
  int32_t n_layers = 0;
  int32_t hidden_size = 0;
  // False for an encoder, whose Forward is refused. What can be pooled is in both cases Encode's.
  bool generates = true;
};

// Consecutive tokens of one sequence, to be appended to its cache.
struct SequenceChunk {
  std::span<const TokenId> tokens;
  int32_t position = 0;  // of tokens[0] in the sequence; everything before it is cached
  std::span<const BlockId>
      blocks;  // the sequence's blocks in order; enough for position + tokens.size()
  enum class Logits { kNone, kLast, kAll } logits = Logits::kLast;
};

// One thread at a time calls Forward; the model's own threads work inside the call.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;
  virtual const ModelInfo& info() const = 0;

  // Makes room for `n_blocks` cache blocks (ids 0 .. n_blocks-1). kExhausted when memory is short.
  virtual Result<void> AllocateCache(int32_t n_blocks) = 0;

  // Memory that weights and cache will lie in.
  virtual DeviceMemory Memory() const = 0;
  // What a step takes beside weights and cache, at most: `n_rows` tokens of sequences of up to
  // `n_keys` tokens, with logits for `n_logits` of them.
  virtual uint64_t StepBytes(int64_t n_rows, int64_t n_logits, int64_t n_keys) const = 0;
  // Takes the memory of such steps now. kExhausted when it is short.
  virtual Result<void> ReserveStep(int64_t n_rows, int64_t n_logits) = 0;

  // Runs all chunks as one batch. `logits` receives one row of vocab_size floats per wanted
  // position, in the order of the chunks: [n_wanted, vocab_size] f32, row-major; it is resized.
  virtual Result<void> Forward(std::span<const SequenceChunk> chunks,
                               std::vector<float>& logits) = 0;

  // The same, but `hidden` receives what the logits would be computed from: rows of hidden_size
  // floats. Tokens of an encoder see all of their chunk, which must be the whole sequence.
  virtual Result<void> Encode(std::span<const SequenceChunk> chunks, std::vector<float>& hidden) {
    (void)chunks;
    (void)hidden;
    return Error(ErrorCode::kInvalidArgument, "this model gives no vectors");
  }
};

}  // namespace skerry::engine
