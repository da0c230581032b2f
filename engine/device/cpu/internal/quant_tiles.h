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

SKERRY_INLINE float LargestLane(F values) {
  float largest = values[0];
  for (int lane = 1; lane < Isa::kLanes; ++lane) {
    largest = largest < values[lane] ? values[lane] : largest;
  }
  return largest;
}

template <class Format>
SKERRY_TARGET void Quantize(const float* x, int64_t k, int8_t* values, Int8Group* groups) {
  constexpr int kParts = (Format::kGroup + Isa::kLanes - 1) / Isa::kLanes;
  static_assert(Format::kGroup % Isa::kLanes == 0);
  for (int64_t at = 0; at < k; at += Format::kGroup) {
    F parts[kParts];
    F largest_lanes = Isa::Splat(0.0F);
    F total = Isa::Splat(0.0F);
    for (int i = 0; i < kParts; ++i) {
      std::memcpy(&parts[i], x + at + i * Isa::kLanes, sizeof(F));
      largest_lanes = Isa::Max(largest_lanes, Isa::Abs(parts[i]));
      total += Isa::Abs(parts[i]);
    }
    // The maximum may lose a not-a-number, the sum does not.
    float check = 0;
    for (int lane = 0; lane < Isa::kLanes; ++lane) check += total[lane];
    const float largest = LargestLane(largest_lanes);
    const bool finite = check <= FLT_MAX;
    const F inverse = Isa::Splat(finite && largest >= kSmallest ? 127.0F / largest : 0.0F);
    I sums = {};
    for (int i = 0; i < kParts; ++i) {
      const I q = Isa::Round((finite ? parts[i] : Isa::Splat(0.0F)) * inverse);
      Isa::StoreBytes(values + at + i * Isa::kLanes, q);
      sums += q;
    }
    int32_t sum = 0;
    for (int lane = 0; lane < Isa::kLanes; ++lane) sum += sums[lane];
    const float scale = largest >= kSmallest ? largest / 127.0F : 0.0F;
    groups->scale = finite ? scale : std::numeric_limits<float>::quiet_NaN();
    groups->sum = groups->scale * static_cast<float>(sum);
    groups->correction = -Format::kOffset * sum;
    ++groups;
  }
}

// Where Format::Unpack puts a panel.
struct PanelWriter {
  U* values;
  F* scales;
  F* minima;

  SKERRY_INLINE void Group(F scale) { *scales++ = scale; }
  SKERRY_INLINE void Group(F scale, F minimum) {
    *scales++ = scale;
    *minima++ = minimum;
  }
  SKERRY_INLINE void Put(U bytes) { *values++ = bytes; }
};

template <class Format>
SKERRY_TARGET void Unpack(const uint8_t* rows, int64_t row_bytes, int64_t n_blocks,
                          const QuantPanel& out) {
  PanelWriter writer{reinterpret_cast<U*>(out.values), reinterpret_cast<F*>(out.scales),
                     reinterpret_cast<F*>(out.minima)};
  for (int64_t block = 0; block < n_blocks; ++block) {
    Format::Unpack(rows + block * Format::kBytes, row_bytes, writer);
  }
}

// kX rows of x times kW panels.
template <class Format, int kX, int kW>
SKERRY_TARGET void Tile(const QuantPanel* panels, const Int8Rows& x, int64_t n_groups,
                        const QuantOutput& out) {
  constexpr int kSteps = Format::kGroup / 4;
  F totals[kX][kW];
  int64_t n_lanes[kW];
  for (int j = 0; j < kW; ++j) {
    const int64_t left = out.n_weight_rows - j * Isa::kLanes;
    n_lanes[j] = left < Isa::kLanes ? left : Isa::kLanes;
  }
#pragma GCC unroll 8
  for (int i = 0; i < kX; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kW; ++j) {
      totals[i][j] = out.add ? Isa::LoadPart(out.y + i * out.stride + j * Isa::kLanes, n_lanes[j])
                             : Isa::Splat(0.0F);
    }
  }
  for (int64_t group = 0; group < n_groups; ++group) {
    typename Isa::template Products<Format::kBits> products[kX][kW];
#pragma GCC unroll 8
    for (int i = 0; i < kX; ++i) {
#pragma GCC unroll 2
      for (int j = 0; j < kW; ++j) {
        products[i][j].Start(x.groups[i * x.group_stride + group].correction);
      }
    }
#pragma GCC unroll 8
    for (int step = 0; step < kSteps; ++step) {
      U w[kW];
#pragma GCC unroll 2
      for (int j = 0; j < kW; ++j) {
        w[j] = reinterpret_cast<const U*>(panels[j].values)[group * kSteps + step];
      }
#pragma GCC unroll 8
      for (int i = 0; i < kX; ++i) {
        uint32_t four;
        std::memcpy(&four, x.values + i * x.value_stride + group * Format::kGroup + 4 * step,
                    sizeof(four));
        const U bytes = Isa::Splat(four);
#pragma GCC unroll 2
        for (int j = 0; j < kW; ++j) products[i][j].Add(w[j], bytes, step);
      }
    }
#pragma GCC unroll 2
    for (int j = 0; j < kW; ++j) {
      const F scale = reinterpret_cast<const F*>(panels[j].scales)[group];
#pragma GCC unroll 8
      for (int i = 0; i < kX; ++i) {
        const Int8Group& x_group = x.groups[i * x.group_stride + group];
        const F product = __builtin_convertvector(products[i][j].Sum(), F);
        totals[i][j] = Isa::MultiplyAdd(product, scale * Isa::Splat(x_group.scale), totals[i][j]);
        if constexpr (Format::kHasMinimum) {
          const F minimum = reinterpret_cast<const F*>(panels[j].minima)[group];
          totals[i][j] = Isa::MultiplyAdd(minimum, Isa::Splat(x_group.sum), totals[i][j]);
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
void TilePanels(const QuantPanel* panels, int n_panels, const Int8Rows& x, int64_t n_groups,
                const QuantOutput& out) {
  if (n_panels == 2) return Tile<Format, kX, 2>(panels, x, n_groups, out);
  Tile<Format, kX, 1>(panels, x, n_groups, out);
}

template <class Format>
void Multiply(const QuantPanel* panels, int n_panels, const Int8Rows& x, int64_t n_groups,
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
    TilePanels<Format, Isa::kTileX>(panels, n_panels, rows, n_groups, to);
  }
  for (; rows.n_rows >= 2; step(2)) TilePanels<Format, 2>(panels, n_panels, rows, n_groups, to);
  if (rows.n_rows > 0) TilePanels<Format, 1>(panels, n_panels, rows, n_groups, to);
}

template <class Format>
inline constexpr QuantFormat kFormat = {Format::kGroup, Quantize<Format>, Unpack<Format>,
                                        Multiply<Format>};

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
