#include "engine/device/cpu/matmul.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "engine/formats/dequantize.h"

namespace skerry::engine {
namespace {

constexpr size_t kAlignment = 64;
// Weight bytes of one task: enough to hide the hand-over, few enough to share a matrix evenly.
constexpr int64_t kTaskBytes = 128 << 10;
// Rows of x that stay in the second-level cache while weights pass by.
constexpr int64_t kInputBlockBytes = 384 << 10;
// The largest multiple of both tile heights (3 and 6) used for a block of x.
constexpr int64_t kMaxInputBlockRows = 96;
// Columns that are unpacked at a time: two panels of them stay in the first-level cache. A multiple
// of every block.
constexpr int64_t kQuantColumns = 512;
// Values of x that one task rounds.
constexpr int64_t kQuantizeGrain = 16 << 10;

bool IsFloat(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBf16;
}

}  // namespace

void AlignedBytes::Free::operator()(uint8_t* bytes) const {
  ::operator delete[](bytes, std::align_val_t(kAlignment));
}

uint8_t* AlignedBytes::Reserve(size_t n) {
  if (n > capacity_) {
    bytes_.reset();  // given back first: both sizes at once may be too much
    bytes_.reset(new (std::align_val_t(kAlignment)) uint8_t[n]);
    capacity_ = n;
  }
  return bytes_.get();
}

MatMuls::MatMuls(const CpuKernels& kernels, ThreadPool& pool)
    : kernels_(kernels),
      quant_(FindQuantKernels(kernels.isa)),
      pool_(pool),
      scratch_(pool.n_threads()) {}

void MatMuls::Widen(const Weight& weight, int64_t first, int64_t n, float* out) const {
  const int64_t row_bytes = RowBytes(weight.dtype, weight.cols);
  const auto* bytes = static_cast<const uint8_t*>(weight.data) + first * row_bytes;
  if (IsFloat(weight.dtype)) return kernels_.widen(weight.dtype, bytes, n * weight.cols, out);
  if (weight.dtype != DType::kF8E4M3) {
    return Dequantize(weight.dtype, bytes, n * weight.cols, out);
  }
  if (!weight.scales) return kernels_.widen_f8(bytes, n * weight.cols, 1.0F, out);
  for (int64_t row = 0; row < n; ++row) {
    const float* factor = weight.scales.Row(first + row, weight.cols);
    for (int64_t c = 0; c < weight.cols; c += weight.scales.block_cols) {
      const int64_t n_columns = std::min(weight.scales.block_cols, weight.cols - c);
      const int64_t at = row * weight.cols + c;
      kernels_.widen_f8(bytes + at, n_columns, *factor++, out + at);
    }
  }
}

void MatMuls::Multiply(const Weight& weight, const float* x, int64_t n_rows, float* y) {
  if (const QuantFormat* format = quant_.find(weight.dtype)) {
    return MultiplyQuantized(*format, weight, x, n_rows, y);
  }
  const int64_t row_bytes = RowBytes(weight.dtype, weight.cols);
  const auto* bytes = static_cast<const uint8_t*>(weight.data);
  const int64_t n_panels = (weight.rows + kPanelRows - 1) / kPanelRows;
  const int64_t grain = std::max<int64_t>(1, kTaskBytes / (row_bytes * kPanelRows));
  const bool vector = n_rows == 1 && IsFloat(weight.dtype);
  const bool vector_f8 = n_rows == 1 && HasVectorF8(weight);
  pool_.ParallelFor(n_panels, grain, [&](int64_t begin, int64_t end, int thread) {
    if (!vector && !vector_f8) return MultiplyPanels(weight, x, n_rows, y, begin, end, thread);
    const int64_t first = begin * kPanelRows;
    const int64_t n = std::min(end * kPanelRows, weight.rows) - first;
    const uint8_t* w = bytes + first * row_bytes;
    if (vector_f8) {
      return kernels_.matrix_vector_f8(w, weight.scales, first, n, weight.cols, x, y + first);
    }
    kernels_.matrix_vector(weight.dtype, w, n, weight.cols, x, y + first);
  });
}

bool MatMuls::HasVectorF8(const Weight& weight) const {
  if (weight.dtype != DType::kF8E4M3 || kernels_.matrix_vector_f8 == nullptr) return false;
  return weight.scales &&
         (weight.scales.block_cols % kF8Columns == 0 || weight.scales.block_cols >= weight.cols);
}

// Blocks of x stay in cache while the panels' rows pass; each panel is widened once for each block.
void MatMuls::MultiplyPanels(const Weight& weight, const float* x, int64_t n_rows, float* y,
                             int64_t first_panel, int64_t end_panel, int thread) {
  const int64_t k = weight.cols;
  const int64_t fitting = kInputBlockBytes / (k * static_cast<int64_t>(sizeof(float)));
  const int64_t block_rows = std::clamp<int64_t>(fitting / 6 * 6, 6, kMaxInputBlockRows);
  const bool stored_wide = weight.dtype == DType::kF32;
  float* widened = nullptr;
  if (!stored_wide) {
    widened = reinterpret_cast<float*>(scratch_[thread].Reserve(kPanelRows * k * sizeof(float)));
  }
  for (int64_t block = 0; block < n_rows; block += block_rows) {
    const int64_t n_x = std::min(block_rows, n_rows - block);
    for (int64_t panel = first_panel; panel < end_panel; ++panel) {
      const int64_t row = panel * kPanelRows;
      const int64_t n_w = std::min(kPanelRows, weight.rows - row);
      if (!stored_wide) Widen(weight, row, n_w, widened);
      const float* w = stored_wide ? static_cast<const float*>(weight.data) + row * k : widened;
      kernels_.matrix_panel(w, n_w, k, x + block * k, n_x, y + block * weight.rows + row,
                            weight.rows);
    }
  }
}

struct MatMuls::Quantized {
  const QuantFormat& format;
  const Weight& weight;
  Int8Rows x;
  float* y;
};

void MatMuls::MultiplyQuantized(const QuantFormat& format, const Weight& weight, const float* x,
                                int64_t n_rows, float* y) {
  const int64_t k = weight.cols;
  const int64_t n_groups = k / kInt8Group;
  auto* values = reinterpret_cast<int8_t*>(values_.Reserve(n_rows * k));
  auto* groups =
      reinterpret_cast<Int8Group*>(groups_.Reserve(n_rows * n_groups * sizeof(Int8Group)));
  pool_.ParallelFor(n_rows, std::max<int64_t>(1, kQuantizeGrain / k),
                    [&](int64_t begin, int64_t end, int) {
                      for (int64_t row = begin; row < end; ++row) {
                        format.quantize(x + row * k, k, values + row * k, groups + row * n_groups);
                      }
                    });
  const Quantized work{format, weight, {values, k, groups, n_groups, n_rows}, y};
  const int64_t panel_rows = quant_.panel_rows;
  const int64_t n_panels = (weight.rows + panel_rows - 1) / panel_rows;
  // Two panels share the loads of x, which matters when there are many rows of it.
  const int64_t n_joined = n_rows > 1 ? 2 : 1;
  const int64_t n_units = (n_panels + n_joined - 1) / n_joined;
  const int64_t unit_bytes = n_joined * panel_rows * RowBytes(weight.dtype, k);
  const int64_t grain = n_rows > 1 ? 1 : std::max<int64_t>(1, kTaskBytes / unit_bytes);
  pool_.ParallelFor(n_units, grain, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t first = unit * n_joined;
      RunPanels(work, first, static_cast<int>(std::min(n_joined, n_panels - first)), thread);
    }
  });
}

// Columns are unpacked piece by piece; y holds the sums meanwhile.
void MatMuls::RunPanels(const Quantized& work, int64_t first_panel, int n_panels, int thread) {
  const Weight& weight = work.weight;
  const int64_t panel_rows = quant_.panel_rows;
  const int64_t row_bytes = RowBytes(weight.dtype, weight.cols);
  const DTypeBlock block = BlockOf(weight.dtype);
  const int64_t first_row = first_panel * panel_rows;
  const int64_t n_weight_rows = std::min(n_panels * panel_rows, weight.rows - first_row);

  const size_t value_bytes = panel_rows * kQuantColumns;
  const size_t factor_bytes = panel_rows * kQuantColumns / kInt8Group * sizeof(float);
  const size_t panel_bytes = value_bytes + 2 * factor_bytes;
  // The last panel may have fewer rows than lanes: it is completed with zeros.
  const int64_t n_missing = n_panels * panel_rows - n_weight_rows;
  const size_t copy_bytes = n_missing > 0 ? panel_rows * row_bytes : 0;
  uint8_t* scratch = scratch_[thread].Reserve(n_panels * panel_bytes + copy_bytes);

  const auto* bytes = static_cast<const uint8_t*>(weight.data) + first_row * row_bytes;
  QuantPanel panels[2];
  const uint8_t* sources[2];
  const uint8_t* nexts[2];  // the panels that come after these; themselves at the end
  for (int i = 0; i < n_panels; ++i) {
    uint8_t* at = scratch + i * panel_bytes;
    panels[i] = {reinterpret_cast<uint32_t*>(at), reinterpret_cast<float*>(at + value_bytes),
                 reinterpret_cast<float*>(at + value_bytes + factor_bytes)};
    sources[i] = bytes + i * panel_rows * row_bytes;
    const bool last = first_row + (n_panels + i + 1) * panel_rows > weight.rows;
    nexts[i] = last ? sources[i] : sources[i] + n_panels * panel_rows * row_bytes;
  }
  if (n_missing > 0) {
    uint8_t* copy = scratch + n_panels * panel_bytes;
    const int64_t present = (panel_rows - n_missing) * row_bytes;
    std::memcpy(copy, sources[n_panels - 1], present);
    std::memset(copy + present, 0, n_missing * row_bytes);
    sources[n_panels - 1] = copy;
  }

  QuantOutput out{work.y + first_row, weight.rows, n_weight_rows, /*add=*/false};
  for (int64_t column = 0; column < weight.cols; column += kQuantColumns) {
    const int64_t n_columns = std::min(kQuantColumns, weight.cols - column);
    const int64_t offset = column / block.elements * block.bytes;
    for (int i = 0; i < n_panels; ++i) {
      work.format.unpack(sources[i] + offset, row_bytes, n_columns / block.elements,
                         nexts[i] + panel_rows * offset, panels[i]);
    }
    Int8Rows x = work.x;
    x.values += column;
    x.groups += column / kInt8Group;
    work.format.multiply(panels, n_panels, x, n_columns, out);
    out.add = true;
  }
}

}  // namespace skerry::engine
