// The op set: what a device can do with tensors in its memory. Activations are F32, row-major, one
// row for each token of the batch; n_rows is the batch's number of rows unless said otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "appliance/base/result.h"
#include "engine/device/ids.h"
#include "engine/device/kv_cache.h"
#include "engine/formats/tensor.h"

namespace skerry::engine {

class Device;

// Memory of one device, given back at the end of its life, which the device must outlive.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Device* device, void* data, size_t size_bytes)
      : device_(device), data_(data), size_bytes_(size_bytes) {}
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  void* data() const { return data_; }
  float* floats() const { return static_cast<float*>(data_); }
  int32_t* ints() const { return static_cast<int32_t*>(data_); }
  size_t size_bytes() const { return size_bytes_; }

 private:
  Device* device_ = nullptr;
  void* data_ = nullptr;
  size_t size_bytes_ = 0;
};

// A weight where the device reads it: [rows, cols], row-major.
struct Weight {
  DType dtype = DType::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
  const void* data = nullptr;
  // Type-erased: the checkpoint's mapping, a copy of it, or device memory.
  std::shared_ptr<const void> owner;
  Scales scales = {};
};

// Rows [first_row, first_row + n_rows) of the batch: consecutive tokens of one sequence from
// `position`.
struct BatchSequence {
  int32_t first_row = 0;
  int32_t n_rows = 0;
  int32_t position = 0;
  std::span<const BlockId> blocks;  // of the cache, enough for position + n_rows tokens
};

// A table of rotary pairs: radians per token, and what sines and cosines are multiplied by.
struct RopeFrequencies {
  std::span<const double> radians;
  double scale = 1;
};

struct Batch {
  int64_t n_rows = 0;
  std::span<const BatchSequence> sequences;  // cover all rows, in order
  std::span<const RopeFrequencies> ropes;    // tables that Rope names by index
};

// What rows are multiplied by at a position: 1 + beta * ln(1 + floor(position / length)).
struct PositionScale {
  double beta = 0;
  int64_t length = 1;
};

struct DeviceMemory {
  uint64_t total_bytes = 0;
  uint64_t available_bytes = 0;  // that this process may still take
};

struct AttentionShape {
  int64_t n_heads = 0;
  int64_t n_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t window = 0;  // a token sees that many, itself included; 0: all before it
  float scale = 1;     // of the dot products
  float soft_cap = 0;  // dot products become cap * tanh(x / cap); 0: as they are
  bool causal = true;  // false: a token also sees those after it in its sequence's batch
};

// What multiplies a gated MLP's `up`.
enum class Gate {
  kSilu,      // g * sigmoid(g) * up
  kGeluTanh,  // g * sigmoid(2u) * up, u = sqrt(2/pi) (g + 0.044715 g^3): GELU's tanh form
  // With c = min(g, limit): c * sigmoid(1.702 c) * (clamp(up, -limit, limit) + 1).
  kClampedSwiGlu,
};

// The experts of each row: `per_row` different ones in descending order of their scores, and their
// shares of the result. In the device's memory, [n_rows, per_row].
struct ExpertChoice {
  int32_t* ids = nullptr;
  float* shares = nullptr;
  int64_t per_row = 0;
};

// One thread at a time. Ops may run asynchronously on a device of its own; Download waits for them.
class Device {
 public:
  virtual ~Device() = default;
  virtual std::string_view name() const = 0;

  virtual DeviceMemory Memory() const = 0;
  // kExhausted when there is not that much; what was allocated is really there, and using it cannot
  // run out of memory. Contents are undefined.
  virtual Result<Buffer> Allocate(size_t size_bytes) = 0;
  // Makes a matrix [rows, cols] or a vector [cols] usable as an operand. Matrices keep their
  // element type; vectors (norms) are widened to F32, which is exact.
  virtual Result<Weight> Place(const Tensor& tensor) = 0;
  virtual Result<void> Download(const float* source, std::span<float> out) = 0;

  // The batch that the ops from now on work on; it must stay valid until the next call.
  virtual Result<void> SetBatch(const Batch& batch) = 0;

  // out[i] = table[ids[i]]: [n_rows, cols].
  virtual Result<void> Embed(const Weight& table, std::span<const TokenId> ids, float* out) = 0;
  // out[r] = x[r] / sqrt(mean(x[r]^2) + eps) * weight, for `n_rows` rows of weight.cols.
  virtual Result<void> RmsNorm(const float* x, int64_t n_rows, const Weight& weight, float eps,
                               float* out) = 0;
  // out[r] = (x[r] - mean(x[r])) / sqrt(variance(x[r]) + eps) * weight + bias.
  virtual Result<void> LayerNorm(const float* x, int64_t n_rows, const Weight& weight,
                                 const Weight& bias, float eps, float* out) = 0;
  // y[n_rows, rows] = x[n_rows, cols] * weight^T.
  virtual Result<void> MatMul(const Weight& weight, const float* x, int64_t n_rows, float* y) = 0;
  // x[r] += row[0], a weight of one row.
  virtual Result<void> AddRow(float* x, int64_t n_rows, const Weight& row) = 0;
  // Rotates the pairs (i, i + head_dim/2) of every head by position * radians[i] of the batch's
  // table, times its scale, in place.
  virtual Result<void> Rope(float* x, int64_t n_heads, int64_t head_dim, int64_t table) = 0;
  // x[r] *= `scale` at the row's position, rows of `width`.
  virtual Result<void> ScaleByPosition(float* x, int64_t width, const PositionScale& scale) = 0;
  // Writes the batch's keys and values ([n_rows, n_kv_heads * head_dim]) into a layer's cache,
  // rounded to its type; a row's result depends on that row alone.
  virtual Result<void> StoreKv(const float* k, const float* v, const AttentionShape& shape,
                               const KvCache& cache) = 0;
  // Attention of every row over its sequence's cache: [n_rows, n_heads * head_dim]. Consecutive
  // heads share a key-value head. `sinks`, one number for each head or null, are one more score
  // that takes its part of the softmax and gives nothing.
  virtual Result<void> Attention(const float* q, const AttentionShape& shape, const float* sinks,
                                 const KvCache& cache, float* out) = 0;
  // Most memory that Attention takes beside its operands for sequences of up to `n_keys` tokens.
  virtual uint64_t AttentionScratchBytes(const AttentionShape& shape, int64_t n_keys) const = 0;
  // out = gate(g, up), n elements; out may be an operand. `limit` is kClampedSwiGlu's.
  virtual Result<void> GateMul(Gate gate, float limit, const float* g, const float* up, int64_t n,
                               float* out) = 0;
  // x = x * (1 + erf(x / sqrt(2))) / 2, n elements.
  virtual Result<void> Gelu(float* x, int64_t n) = 0;
  // x *= factor, n elements.
  virtual Result<void> Scale(float* x, int64_t n, float factor) = 0;
  // x = cap * tanh(x / cap), n elements.
  virtual Result<void> SoftCap(float* x, int64_t n, float cap) = 0;
  // x += y, n elements.
  virtual Result<void> Add(float* x, const float* y, int64_t n) = 0;
  // out[i] = x[rows[i]], rows of `width`.
  virtual Result<void> GatherRows(const float* x, int64_t width, std::span<const int32_t> rows,
                                  float* out) = 0;

  // Chooses the experts of every row by its scores [n_rows, n_experts]: the highest, the first of
  // equals. Shares are the softmax of the scores over all experts, or over the chosen ones when
  // they are to be normalised to a sum of 1.
  virtual Result<void> Route(const float* scores, int64_t n_rows, int64_t n_experts, bool normalise,
                             const ExpertChoice& out) = 0;
  // y[r, i] = x * experts[ids[r, i]]^T, where x is row r, or row [r, i] when there is one for each
  // expert: [n_rows, per_row, rows].
  virtual Result<void> ExpertMatMul(std::span<const Weight> experts, const ExpertChoice& choice,
                                    const float* x, bool x_per_expert, int64_t n_rows,
                                    float* y) = 0;
  // y[r, i] += biases[ids[r, i]] for F32 biases [n_experts, cols].
  virtual Result<void> ExpertBias(const Weight& biases, const ExpertChoice& choice, int64_t n_rows,
                                  float* y) = 0;
  // out[r] = sum over i of shares[r, i] * y[r, i], rows of `width`.
  virtual Result<void> ExpertSum(const float* y, const ExpertChoice& choice, int64_t n_rows,
                                 int64_t width, float* out) = 0;

 private:
  friend class Buffer;
  virtual void Release(void* data, size_t size_bytes) = 0;
};

}  // namespace skerry::engine
