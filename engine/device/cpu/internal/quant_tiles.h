// The loops that join a format and an instruction set. Included by one file for each instruction
// set after its `Isa` (see quant_formats.h), which also has
//   kLanes              rows of a panel
//   kTileX              rows of x in a tile
//   Splat(value)        a uint32_t or float in every lane
//   Abs, Max(f, f), Round(f)    to the nearest, ties to even
//   StoreBytes(at, i)   the low byte of every lane
//   MultiplyAdd(a, b, c)  a * b + c
//   LoadPart(at, n), StorePart(at, f, n)   the first n lanes
//   Products<kBits>     sums of products of bytes: Start(correction), Add(w, x, step), Sum()
#pragma once

#include <cfloat>
#include <cstring>
#include <limits>

#include "engine/device/cpu/internal/quant_formats.h"
#include "engine/device/cpu/quantized.h"

namespace skerry::engine::internal {
namespace {

// Values whose largest is below this are taken for zero: their factor's inverse would overflow.
constexpr float kSmallest = 1e-30F;

// Rounds a group; `sum` gets that of its values.
SKERRY_INLINE void QuantizeGroup(const float* x, int offset, int8_t* values, Int8Group& group,
                                 float& sum) {
  constexpr int kParts = kInt8Group / Isa::kLanes;
  F parts[kParts];
  F largest_lanes = Isa::Splat(0.0F);
  F total_lanes = Isa::Splat(0.0F);
  for (int i = 0; i < kParts; ++i) {
    std::memcpy(&parts[i], x + i * Isa::kLanes, sizeof(F));
    largest_lanes = Isa::Max(largest_lanes, Isa::Abs(parts[i]));
    total_lanes += Isa::Abs(parts[i]);
  }
  // The maximum may lose a not-a-number, the total does not.
  float largest = 0;
  float total = 0;
  for (int lane = 0; lane < Isa::kLanes; ++lane) {
    largest = largest < largest_lanes[lane] ? largest_lanes[lane] : largest;
    total += total_lanes[lane];
  }
  const bool finite = total <= FLT_MAX;
  const bool zero = !finite || largest < kSmallest;
  const F inverse = Isa::Splat(zero ? 0.0F : 127.0F / largest);
  I sums = {};
  for (int i = 0; i < kParts; ++i) {
    const I q = Isa::Round((zero ? Isa::Splat(0.0F) : parts[i]) * inverse);
    Isa::StoreBytes(values + i * Isa::kLanes, q);
    sums += q;
  }
  int32_t q_sum = 0;
  for (int lane = 0; lane < Isa::kLanes; ++lane) q_sum += sums[lane];
  group.scale = zero ? 0.0F : largest / 127.0F;
  if (!finite) group.scale = std::numeric_limits<float>::quiet_NaN();
  group.correction = -offset * q_sum;
  sum = group.scale * static_cast<float>(q_sum);
}

template <class Format>
SKERRY_TARGET void Quantize(const float* x, int64_t k, int8_t* values, Int8Group* groups) {
  constexpr int64_t kHalves = Format::kGroup / kInt8Group;
  for (int64_t at = 0; at < k; at += Format::kGroup) {
    groups->sum = 0;
    for (int64_t half = 0; half < kHalves; ++half) {
      const int64_t begin = at + half * kInt8Group;
      float sum;
      QuantizeGroup(x + begin, Format::kOffset, values + begin, groups[half], sum);
      groups->sum += sum;
    }
    groups += kHalves;
  }
}

// Where Format::Unpack puts a panel.
template <class Format>
struct PanelWriter {
  // Bytes of a group in all rows.
  static constexpr int kAhead = Format::kBytes * Format::kGroup / Format::kElements * Isa::kLanes;
  static constexpr int kLine = 64;
  U* values;
  F* scales;
  F* minima;
  const uint8_t* ahead;

  SKERRY_INLINE void Group(F scale) {
    *scales++ = scale;
    for (int at = 0; at < kAhead; at += kLine) __builtin_prefetch(ahead + at);
    ahead += kAhead;
  }
  SKERRY_INLINE void Group(F scale, F minimum) {
    *minima++ = minimum;
    Group(scale);
  }
  SKERRY_INLINE void Put(U bytes) { *values++ = bytes; }
};

template <class Format>
SKERRY_TARGET void Unpack(const uint8_t* rows, int64_t row_bytes, int64_t n_blocks,
                          const uint8_t* ahead, const QuantPanel& out) {
  PanelWriter<Format> writer{reinterpret_cast<U*>(out.values), reinterpret_cast<F*>(out.scales),
                             reinterpret_cast<F*>(out.minima), ahead};
  for (int64_t block = 0; block < n_blocks; ++block) {
    Format::Unpack(rows + block * Format::kBytes, row_bytes, writer);
  }
}

// One group of x: adds its products with the weights' factor to the totals.
template <class Format, int kX, int kW>
SKERRY_INLINE void AddGroup(const U* const (&w)[kW], const F (&scales)[kW], const Int8Rows& x,
                            int64_t group, F (&totals)[kX][kW]) {
  constexpr int kSteps = kInt8Group / 4;
  typename Isa::template Products<Format::kBits> products[kX][kW];
#pragma GCC unroll 8
  for (int i = 0; i < kX; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kW; ++j) {
      products[i][j].Start(x.groups[i * x.group_stride + group].correction);
    }
  }
#pragma GCC unroll 4
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 8
    for (int i = 0; i < kX; ++i) {
      uint32_t four;
      std::memcpy(&four, x.values + i * x.value_stride + group * kInt8Group + 4 * step,
                  sizeof(four));
      const U bytes = Isa::Splat(four);
#pragma GCC unroll 2
      for (int j = 0; j < kW; ++j) products[i][j].Add(w[j][group * kSteps + step], bytes, step);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kX; ++i) {
    const F x_scale = Isa::Splat(x.groups[i * x.group_stride + group].scale);
#pragma GCC unroll 2
    for (int j = 0; j < kW; ++j) {
      const F product = __builtin_convertvector(products[i][j].Sum(), F);
      totals[i][j] = Isa::MultiplyAdd(product, scales[j] * x_scale, totals[i][j]);
    }
  }
}

// kX rows of x times kW panels.
template <class Format, int kX, int kW>
SKERRY_TARGET void Tile(const QuantPanel* panels, const Int8Rows& x, int64_t n_columns,
                        const QuantOutput& out) {
  constexpr int64_t kHalves = Format::kGroup / kInt8Group;
  F totals[kX][kW];
  int64_t n_lanes[kW];
  const U* w[kW];
#pragma GCC unroll 2
  for (int j = 0; j < kW; ++j) {
    const int64_t left = out.n_weight_rows - j * Isa::kLanes;
    n_lanes[j] = left < Isa::kLanes ? left : Isa::kLanes;
    w[j] = reinterpret_cast<const U*>(panels[j].values);
#pragma GCC unroll 8
    for (int i = 0; i < kX; ++i) {
      totals[i][j] = out.add ? Isa::LoadPart(out.y + i * out.stride + j * Isa::kLanes, n_lanes[j])
                             : Isa::Splat(0.0F);
    }
  }
  for (int64_t group = 0; group < n_columns / Format::kGroup; ++group) {
    F scales[kW];
#pragma GCC unroll 2
    for (int j = 0; j < kW; ++j) scales[j] = reinterpret_cast<const F*>(panels[j].scales)[group];
#pragma GCC unroll 2
    for (int64_t half = 0; half < kHalves; ++half) {
      AddGroup<Format, kX, kW>(w, scales, x, group * kHalves + half, totals);
    }
    if constexpr (Format::kHasMinimum) {
#pragma GCC unroll 8
      for (int i = 0; i < kX; ++i) {
        const F sum = Isa::Splat(x.groups[i * x.group_stride + group * kHalves].sum);
#pragma GCC unroll 2
        for (int j = 0; j < kW; ++j) {
          const F minimum = reinterpret_cast<const F*>(panels[j].minima)[group];
          totals[i][j] = Isa::MultiplyAdd(minimum, sum, totals[i][j]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kX; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kW; ++j) {
      Isa::StorePart(out.y + i * out.stride + j * Isa::kLanes, totals[i][j], n_lanes[j]);
    }
  }
}

template <class Format, int kX>
void TilePanels(const QuantPanel* panels, int n_panels, const Int8Rows& x, int64_t n_columns,
                const QuantOutput& out) {
  if (n_panels == 2) return Tile<Format, kX, 2>(panels, x, n_columns, out);
  Tile<Format, kX, 1>(panels, x, n_columns, out);
}

template <class Format>
void Multiply(const QuantPanel* panels, int n_panels, const Int8Rows& x, int64_t n_columns,
              const QuantOutput& out) {
  Int8Rows rows = x;
  QuantOutput to = out;
  auto step = [&](int n) {
    rows.values += n * x.value_stride;
    rows.groups += n * x.group_stride;
    to.y += n * out.stride;
    rows.n_rows -= n;
  };
  for (; rows.n_rows >= Isa::kTileX; step(Isa::kTileX)) {
    TilePanels<Format, Isa::kTileX>(panels, n_panels, rows, n_columns, to);
  }
  for (; rows.n_rows >= 2; step(2)) TilePanels<Format, 2>(panels, n_panels, rows, n_columns, to);
  if (rows.n_rows > 0) TilePanels<Format, 1>(panels, n_panels, rows, n_columns, to);
}

template <class Format>
inline constexpr QuantFormat kFormat = {Quantize<Format>, Unpack<Format>, Multiply<Format>};

const QuantFormat* FindFormat(DType dtype) {
  switch (dtype) {
    case DType::kQ8_0:
      return &kFormat<Q8_0>;
    case DType::kQ4_0:
      return &kFormat<Q4_0>;
    case DType::kQ4_1:
      return &kFormat<Q4_1>;
    case DType::kQ5_0:
      return &kFormat<Q5_0>;
    case DType::kQ5_1:
      return &kFormat<Q5_1>;
    case DType::kQ4_K:
      return &kFormat<Q4_K>;
    case DType::kQ5_K:
      return &kFormat<Q5_K>;
    case DType::kQ6_K:
      return &kFormat<Q6_K>;
    case DType::kIq4Nl:
      return &kFormat<Iq4Nl>;
    case DType::kIq4Xs:
      return &kFormat<Iq4Xs>;
    case DType::kMxfp4:
      return &kFormat<Mxfp4>;
    default:
      return nullptr;
  }
}

}  // namespace
}  // namespace skerry::engine::internal
