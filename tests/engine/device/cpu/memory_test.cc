#include "engine/device/cpu/memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "appliance/base/testing/fixtures.h"

namespace skerry::engine {
namespace {

class CpuMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Write("proc/meminfo", "MemTotal:       1000 kB\nMemFree: 10 kB\nMemAvailable:  800 kB\n");
  }
  void Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = std::filesystem::path(folder_.path()) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void Group(const std::string& name, const std::string& limit, uint64_t usage, uint64_t files) {
    const std::string folder = "sys/fs/cgroup/" + name;
    Write(folder + "memory.max", limit + "\n");
    Write(folder + "memory.current", std::to_string(usage) + "\n");
    Write(folder + "memory.stat", "anon 1\ninactive_file " + std::to_string(files / 2) +
                                      "\nactive_file " + std::to_string(files - files / 2) + "\n");
  }
  DeviceMemory Read() { return ReadCpuMemory(folder_.path()); }

  skerry::testing::TemporaryDirectory folder_;
};

TEST_F(CpuMemoryTest, TheMachineAlone) {
  EXPECT_EQ(Read().total_bytes, 1000u << 10);
  EXPECT_EQ(Read().available_bytes, 800u << 10);
}

TEST_F(CpuMemoryTest, TheLeastOfAllGroups) {
  Write("proc/self/cgroup", "0::/a/b\n");
  Group("a/b/", "max", 5000, 0);
  Group("a/", "600000", 500000, 300000);
  EXPECT_EQ(Read().total_bytes, 600000u);
  EXPECT_EQ(Read().available_bytes, 400000u);  // page cache can be had back
  Group("a/b/", "200000", 300000, 0);
  EXPECT_EQ(Read().available_bytes, 0u);
}

TEST_F(CpuMemoryTest, AGroupThatIsOnlyKnownByTheHost) {
  Write("proc/self/cgroup", "0::/../outside/x\n");
  Group("", "500000", 100000, 0);
  EXPECT_EQ(Read().available_bytes, 400000u);
}

TEST_F(CpuMemoryTest, VersionOne) {
  Write("proc/self/cgroup", "9:cpu,cpuacct:/x\n5:hugetlb,memory:/x\n");
  Write("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "300000\n");
  Write("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "100000\n");
  Write("sys/fs/cgroup/memory/x/memory.stat", "total_inactive_file 50000\ntotal_active_file 0\n");
  EXPECT_EQ(Read().available_bytes, 250000u);
}

TEST_F(CpuMemoryTest, ThisMachine) {
  const DeviceMemory memory = ReadCpuMemory();
  EXPECT_GT(memory.available_bytes, 0u);
  EXPECT_LE(memory.available_bytes, memory.total_bytes);
}

}  // namespace
}  // namespace skerry::engine
