#include "appliance/cli/hardware.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(HardwareTest, CpuInfoOfTwoKinds) {
  const Cpu x86 = ParseCpuInfo(
      "processor\t: 0\nmodel name\t: Some CPU @ 2.0GHz\nflags\t\t: fpu sse2 fma avx2 avx\n\n"
      "processor\t: 1\nmodel name\t: Some CPU @ 2.0GHz\nflags\t\t: fpu sse2 fma avx2 avx\n");
  EXPECT_EQ(x86.model, "Some CPU @ 2.0GHz");
  EXPECT_EQ(x86.cores, 2U);
  EXPECT_THAT(x86.flags, ElementsAre("avx", "avx2", "fma"));
  const Cpu arm = ParseCpuInfo("processor : 0\nFeatures : fp asimd bf16\n");
  EXPECT_EQ(arm.model, "");
  EXPECT_THAT(arm.flags, ElementsAre("asimd", "bf16"));
  EXPECT_EQ(ParseCpuInfo("").cores, 0U);
}

TEST(HardwareTest, MemTotal) {
  EXPECT_EQ(ParseMemTotal("MemTotal:       16384 kB\nMemFree: 1 kB\n").value(), 16384U * 1024);
  EXPECT_FALSE(ParseMemTotal("MemFree: 1 kB\n"));
  EXPECT_FALSE(ParseMemTotal("MemTotal: many kB\n"));
}

TEST(HardwareTest, NvidiaSmi) {
  const std::vector<Gpu> gpus = ParseNvidiaSmi("NVIDIA H100, 81559\nOdd, name, 24576\n");
  ASSERT_EQ(gpus.size(), 2U);
  EXPECT_EQ(gpus[0].name, "NVIDIA H100");
  EXPECT_EQ(gpus[0].memory_bytes, uint64_t{81559} << 20);
  EXPECT_EQ(gpus[1].name, "Odd, name");
  EXPECT_THAT(ParseNvidiaSmi("No devices were found\nx, [N/A]\n"), IsEmpty());
}

TEST(HardwareTest, ThisMachineHasMemoryAndCores) {
  const Hardware hardware = ReadHardware().value();
  EXPECT_GT(hardware.memory_bytes, 0U);
  EXPECT_GT(hardware.cpu.cores, 0U);
  EXPECT_TRUE(hardware.kernel.starts_with("Linux "));
}

}  // namespace
}  // namespace skerry::cli
