// Products of quantised weights with activations rounded to 8-bit integers: sums of products are
// exact integers within a group of 16 or 32 elements, and groups are added in F32, one after the
// other. That order is the same for every number of rows of x.
//
// Work is cut into panels of neighbouring weight rows, one row to each lane of a register. A format
// says only how a panel's blocks become bytes and factors (internal/quant_formats.h), an
// instruction set only how bytes are multiplied (internal/quant_*.cc); internal/quant_tiles.h joins
// any two.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/device/cpu/kernels.h"
#include "engine/formats/tensor.h"

namespace skerry::engine {

// Values of x that share a factor. Half as many as most formats give one of theirs: it costs a
// fifth of the speed with many rows, none with few, and loses a fifth less (docs/decisions/).
inline constexpr int64_t kInt8Group = 16;

// A group of a row of x: its values are scale * q.
struct Int8Group {
  float scale = 0;
  int32_t correction = 0;  // takes back what the format adds to its bytes to make them unsigned
  // Of the values of all groups that meet one factor of the weights, in the first of them.
  float sum = 0;
};

// Rows of x, from one column on; strides are of whole rows.
struct Int8Rows {
  const int8_t* values = nullptr;
  int64_t value_stride = 0;
  const Int8Group* groups = nullptr;
  int64_t group_stride = 0;
  int64_t n_rows = 0;
};

// Some columns of a panel, unpacked: memory aligned to 64 bytes.
struct QuantPanel {
  uint32_t* values = nullptr;  // [columns / 4, panel rows], four bytes of a row in each
  float* scales = nullptr;     // [groups of the format, panel rows]
  float* minima = nullptr;     // the same, of formats that have them
};

// Where products go: y[x row * stride + weight row].
struct QuantOutput {
  float* y = nullptr;
  int64_t stride = 0;
  int64_t n_weight_rows = 0;  // of the panels; those beyond are not written
  bool add = false;           // to what is there: these are not the first columns
};

// One stored type on one instruction set.
struct QuantFormat {
  // A row of `k` elements (whole blocks) to bytes and groups. Not-a-number anywhere in a group
  // makes its factor that.
  void (*quantize)(const float* x, int64_t k, int8_t* values, Int8Group* groups) = nullptr;
  // Blocks [0, n_blocks) of the panel's rows, which lie `row_bytes` apart. A panel is read in as
  // many streams as it has rows, which the processor does not foresee: meanwhile as many bytes are
  // brought into the cache from `ahead` on, in one stream.
  void (*unpack)(const uint8_t* rows, int64_t row_bytes, int64_t n_blocks, const uint8_t* ahead,
                 const QuantPanel& out) = nullptr;
  // One or two neighbouring panels times all rows of x.
  void (*multiply)(const QuantPanel* panels, int n_panels, const Int8Rows& x, int64_t n_columns,
                   const QuantOutput& out) = nullptr;
};

struct QuantKernels {
  std::string_view name;
  CpuIsa isa = CpuIsa::kPortable;  // at least
  int64_t panel_rows = 0;
  // Null for types that are not ggml's quantised blocks.
  const QuantFormat* (*find)(DType dtype) = nullptr;
};

// Those that this processor can run, the fastest first; the last is the portable one.
std::vector<const QuantKernels*> UsableQuantKernels();
// The fastest that need no more than `isa`.
const QuantKernels& FindQuantKernels(CpuIsa isa);

namespace internal {
// Null where the build's target has no such instructions.
const QuantKernels* PortableQuantKernels();
const QuantKernels* Avx2QuantKernels();
const QuantKernels* AvxVnniQuantKernels();
const QuantKernels* Avx512VnniQuantKernels();
}  // namespace internal

}  // namespace skerry::engine
