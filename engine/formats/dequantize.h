// What the bits of the stored types mean: the exact reference that every faster reading of them is
// tested against.
//
// Quantised rows are blocks of 32 or 256 elements, each with half-precision factors and small
// integers q; the value is d * q, or d * q - m with a minimum. Layouts are those of ggml-common.h
// in https://github.com/ggml-org/ggml, values bit for bit those of its reference conversion. MXFP4
// follows "OCP Microscaling Formats (MX) Specification", version 1.0.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/formats/tensor.h"

namespace skerry::engine {

// Exact conversions of one element to F32.
float HalfToFloat(uint16_t bits);
float Bf16ToFloat(uint16_t bits);
float F8E4M3ToFloat(uint8_t bits);  // no infinities; 0x7f and 0xff are NaN
float E8M0ToFloat(uint8_t bits);    // 2^(bits - 127); 0xff is NaN

// Factors and minima of the eight groups of 32 elements in a block of Q4_K and Q5_K.
struct GroupScales {
  uint8_t scale;
  uint8_t minimum;
};
GroupScales UnpackGroupScales(const uint8_t scales[12], int group);

// The values of IQ4_NL's and IQ4_XS's four bits.
inline constexpr std::array<int8_t, 16> kIq4Values = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                      1,    13,   25,  38,  53,  69,  89,  113};
// Twice the values of MXFP4's four bits: sign, two bits of exponent, one of fraction.
inline constexpr std::array<int8_t, 16> kMxfp4Doubled = {0, 1,  2,  3,  4,  6,  8,  12,
                                                         0, -1, -2, -3, -4, -6, -8, -12};

// `n` elements, whole blocks, from bytes of any alignment. FP8 comes without its scales.
void Dequantize(DType dtype, const uint8_t* bytes, int64_t n, float* out);

// MXFP4 as Hugging Face's gpt-oss stores it, 16 bytes of neighbouring pairs for each group of 32
// and the groups' exponents apart, as the 17-byte blocks of DType::kMxfp4. `blocks` has 16 bytes
// for each of `scales`.
std::vector<uint8_t> RepackMxfp4(std::span<const uint8_t> blocks, std::span<const uint8_t> scales);

}  // namespace skerry::engine
