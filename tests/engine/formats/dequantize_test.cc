#include "engine/formats/dequantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "appliance/base/encode.h"
#include "appliance/base/testing/fixtures.h"
#include "engine/formats/gguf.h"

namespace skerry::engine {
namespace {

std::vector<uint32_t> Bits(std::span<const float> values) {
  std::vector<uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<uint32_t>(value));
  return bits;
}

// Every half-precision number against the definition: (-1)^s 2^(e-15) (1 + f/1024).
TEST(DequantizeTest, ConvertsEveryHalf) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const int exponent = static_cast<int>(bits >> 10 & 0x1f);
    const int fraction = static_cast<int>(bits & 0x3ff);
    const float got = HalfToFloat(static_cast<uint16_t>(bits));
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(got), fraction != 0) << bits;
      EXPECT_EQ(std::isinf(got), fraction == 0) << bits;
    } else {
      const double magnitude =
          exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
      EXPECT_EQ(got, (bits & 0x8000) != 0 ? -magnitude : magnitude) << bits;
    }
    EXPECT_EQ(std::signbit(got), (bits & 0x8000) != 0) << bits;
  }
}

TEST(DequantizeTest, Bf16IsTheUpperHalfOfF32) {
  for (const float value : {0.0F, 1.0F, -2.5F, 3.0e38F, 1.0e-38F}) {
    const uint32_t upper = std::bit_cast<uint32_t>(value) >> 16;
    EXPECT_EQ(std::bit_cast<uint32_t>(Bf16ToFloat(static_cast<uint16_t>(upper))), upper << 16);
  }
}

// Sign, four bits of exponent counted from 7, three of fraction.
TEST(DequantizeTest, ConvertsEveryF8E4M3) {
  for (int bits = 0; bits < 256; ++bits) {
    const float got = F8E4M3ToFloat(static_cast<uint8_t>(bits));
    const int exponent = bits >> 3 & 0xf;
    const int fraction = bits & 7;
    if (exponent == 15 && fraction == 7) {
      EXPECT_TRUE(std::isnan(got));
      continue;
    }
    const double magnitude =
        exponent == 0 ? std::ldexp(fraction, -9) : std::ldexp(8 + fraction, exponent - 10);
    EXPECT_EQ(got, (bits & 0x80) != 0 ? -magnitude : magnitude) << bits;
    EXPECT_EQ(std::signbit(got), (bits & 0x80) != 0) << bits;
  }
  EXPECT_EQ(F8E4M3ToFloat(0x7e), 448.0F);
}

TEST(DequantizeTest, ConvertsEveryE8M0) {
  for (int bits = 0; bits < 255; ++bits) {
    EXPECT_EQ(E8M0ToFloat(static_cast<uint8_t>(bits)), std::ldexp(1.0, bits - 127)) << bits;
  }
  EXPECT_TRUE(std::isnan(E8M0ToFloat(255)));
}

// The same tensor as llama.cpp reads it, bit for bit.
TEST(DequantizeTest, AgreesWithTheFixtures) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  int n_types = 0;
  for (const DType dtype : kDTypes) {
    const std::string name(DTypeName(dtype));
    const std::string path = fixtures + "/tiny/llama/dequant-" + name + ".f32";
    if (!std::filesystem::exists(path)) continue;
    ++n_types;
    const Result<GgufFile> gguf = GgufFile::Open(fixtures + "/tiny/llama/llama-" + name + ".gguf");
    ASSERT_TRUE(gguf) << gguf.error().message();
    const GgufTensor* tensor = gguf->FindTensor("blk.0.attn_k.weight");
    ASSERT_NE(tensor, nullptr);
    ASSERT_EQ(GgufTypeName(tensor->type), name);
    std::vector<float> expected(std::filesystem::file_size(path) / sizeof(float));
    std::ifstream(path, std::ios::binary)
        .read(reinterpret_cast<char*>(expected.data()),
              static_cast<std::streamsize>(expected.size() * sizeof(float)));
    std::vector<float> got(expected.size());
    Dequantize(dtype, tensor->bytes.data(), static_cast<int64_t>(got.size()), got.data());
    EXPECT_EQ(Bits(got), Bits(expected)) << name;
  }
  EXPECT_EQ(n_types, 8);
}

nlohmann::json OracleBlocks(const std::string& name) {
  std::ifstream file(std::string(SKERRY_SOURCE_DIR) + "/tests/engine/oracle/blocks/" + name +
                     ".json");
  return nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
}

std::vector<uint8_t> BytesOf(const nlohmann::json& base64) {
  const auto bytes = Base64Decode(base64.get<std::string>());
  EXPECT_TRUE(bytes);
  return bytes.value_or(std::vector<uint8_t>());
}

// Blocks read by a decoder that was written from the formats' descriptions alone, in float64: the
// two terms of an element with a minimum may each be half a unit in the last place apart.
TEST(DequantizeTest, AgreesWithTheOracle) {
  for (const DType dtype : kDTypes) {
    if (dtype == DType::kF32) continue;
    const std::string name(DTypeName(dtype));
    const nlohmann::json json = OracleBlocks(name);
    ASSERT_TRUE(json.is_object()) << name;
    const auto n = json["elements"].get<int64_t>();
    const std::vector<uint8_t> bytes = BytesOf(json["bytes"]);
    ASSERT_EQ(static_cast<int64_t>(bytes.size()), RowBytes(dtype, n)) << name;
    ASSERT_EQ(json["values"].size(), static_cast<size_t>(n)) << name;
    std::vector<float> got(n);
    Dequantize(dtype, bytes.data(), n, got.data());
    const int64_t block = BlockOf(dtype).elements;
    for (int64_t begin = 0; begin < n; begin += block) {
      float largest = 0;
      for (int64_t i = begin; i < begin + block; ++i) {
        largest = std::max(largest, std::abs(got[i]));
      }
      for (int64_t i = begin; i < begin + block; ++i) {
        if (json["values"][i].is_null()) {
          EXPECT_TRUE(std::isnan(got[i])) << name << " element " << i;
        } else {
          EXPECT_NEAR(got[i], json["values"][i].get<double>(), 1.2e-7 * largest)
              << name << " element " << i;
        }
      }
    }
  }
}

TEST(DequantizeTest, RepacksAsTheOracle) {
  const nlohmann::json json = OracleBlocks("MXFP4-HF");
  ASSERT_TRUE(json.is_object());
  const std::vector<uint8_t> repacked =
      RepackMxfp4(BytesOf(json["blocks"]), BytesOf(json["scales"]));
  const std::vector<uint8_t> expected = BytesOf(json["gguf"]);
  ASSERT_EQ(repacked.size(), expected.size());
  const auto n = json["elements"].get<int64_t>();
  std::vector<float> values(n);
  std::vector<float> expected_values(n);
  Dequantize(DType::kMxfp4, repacked.data(), n, values.data());
  Dequantize(DType::kMxfp4, expected.data(), n, expected_values.data());
  EXPECT_EQ(values, expected_values);  // -0 equals 0: the oracle encodes neither sign of it
}

// Blocks stand alone, wherever they lie in memory and in the row.
TEST(DequantizeTest, ReadsUnalignedBlocks) {
  std::mt19937 random(1);
  for (const DType dtype : kDTypes) {
    const DTypeBlock block = BlockOf(dtype);
    std::vector<uint8_t> bytes(3 * block.bytes + 1);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    std::vector<float> row(3 * block.elements);
    Dequantize(dtype, bytes.data() + 1, 3 * block.elements, row.data());
    for (int i = 0; i < 3; ++i) {
      const std::vector<uint8_t> copy(bytes.begin() + 1 + i * block.bytes,
                                      bytes.begin() + 1 + (i + 1) * block.bytes);
      std::vector<float> alone(block.elements);
      Dequantize(dtype, copy.data(), block.elements, alone.data());
      EXPECT_EQ(Bits(alone), Bits(std::span(row).subspan(i * block.elements, block.elements)))
          << DTypeName(dtype);
    }
  }
}

// Group 5 of Q4_K: scale and minimum are spread over three bytes of twelve.
TEST(DequantizeTest, PlacesEveryBitOfGroupScales) {
  for (int group = 0; group < 8; ++group) {
    for (int bit = 0; bit < 6; ++bit) {
      uint8_t scale_bits[12] = {};
      uint8_t minimum_bits[12] = {};
      if (group < 4) {
        scale_bits[group] = static_cast<uint8_t>(1 << bit);
        minimum_bits[group + 4] = static_cast<uint8_t>(1 << bit);
      } else if (bit < 4) {
        scale_bits[group + 4] = static_cast<uint8_t>(1 << bit);
        minimum_bits[group + 4] = static_cast<uint8_t>(16 << bit);
      } else {
        scale_bits[group - 4] = static_cast<uint8_t>(1 << (bit + 2));
        minimum_bits[group] = static_cast<uint8_t>(1 << (bit + 2));
      }
      EXPECT_EQ(UnpackGroupScales(scale_bits, group).scale, 1 << bit);
      EXPECT_EQ(UnpackGroupScales(scale_bits, group).minimum, 0);
      EXPECT_EQ(UnpackGroupScales(minimum_bits, group).minimum, 1 << bit);
      EXPECT_EQ(UnpackGroupScales(minimum_bits, group).scale, 0);
    }
  }
}

TEST(DequantizeTest, RepacksMxfp4) {
  // Element i of group g is the code (i + g) % 16; neighbours share a byte, the even one low.
  std::vector<uint8_t> blocks;
  const std::vector<uint8_t> scales = {127, 128, 120};
  for (int group = 0; group < 3; ++group) {
    for (int i = 0; i < 32; i += 2) {
      blocks.push_back(static_cast<uint8_t>((i + group) % 16 | (i + 1 + group) % 16 << 4));
    }
  }
  const std::vector<uint8_t> repacked = RepackMxfp4(blocks, scales);
  ASSERT_EQ(repacked.size(), 51U);
  std::vector<float> values(96);
  Dequantize(DType::kMxfp4, repacked.data(), 96, values.data());
  const float codes[] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6};
  for (int group = 0; group < 3; ++group) {
    for (int i = 0; i < 32; ++i) {
      const int code = (i + group) % 16;
      const double sign = code < 8 ? 1 : -1;
      EXPECT_EQ(values[group * 32 + i],
                sign * codes[code % 8] * std::ldexp(1.0, scales[group] - 127));
    }
  }
  EXPECT_TRUE(RepackMxfp4({}, {}).empty());
}

}  // namespace
}  // namespace skerry::engine
