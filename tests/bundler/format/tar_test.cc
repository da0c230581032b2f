#include "bundler/format/tar.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "appliance/base/encode.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unique_fd.h"

namespace skerry::format {
namespace {

using ::testing::HasSubstr;

std::span<const uint8_t, kTarBlockBytes> Block(const std::string& header) {
  return AsBytes(header).first<kTarBlockBytes>();
}

TEST(TarTest, SizesAndPaddingAddUp) {
  EXPECT_EQ(TarHeader("a", 0).size(), TarHeaderBytes(0));
  EXPECT_EQ(TarHeaderBytes(0x1FFFFFFFF), 512U);
  EXPECT_EQ(TarHeaderBytes(0x200000000), 1536U);
  EXPECT_EQ(TarHeader("a", 0x200000000).size(), 1536U);
  EXPECT_EQ(TarPaddingBytes(0), 0U);
  EXPECT_EQ(TarPaddingBytes(1), 511U);
  EXPECT_EQ(TarPaddingBytes(512), 0U);
  EXPECT_EQ(TarMemberBytes(513), 512U + 1024U);
}

TEST(TarTest, ExpectedSizeReadsBackWhatWasWritten) {
  const std::string header = TarHeader("meta/manifest", 12345);
  const Result<uint64_t> size = TarExpectedSize(Block(header), "meta/manifest", 20000);
  ASSERT_TRUE(size) << size.error().message();
  EXPECT_EQ(*size, 12345U);
  EXPECT_EQ(TarClaimedName(Block(header)), "meta/manifest");
}

TEST(TarTest, ExpectedSizeRefusesEveryFlippedBit) {
  const std::string good = TarHeader("FORMAT", 16);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(TarExpectedSize(Block(bad), "FORMAT", 1000)) << "bit " << bit;
  }
}

TEST(TarTest, ExpectedSizeIsBounded) {
  const std::string header = TarHeader("x", 1001);
  const Result<uint64_t> size = TarExpectedSize(Block(header), "x", 1000);
  ASSERT_FALSE(size);
  EXPECT_THAT(size.error().message(), HasSubstr("at most 1000"));
}

std::string Shell(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  char buffer[4096];
  while (const size_t got = std::fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, got);
  output += "exit " + std::to_string(::pclose(pipe));
  return output;
}

// The sparse hole of a 9 GiB member costs no disk space.
TEST(TarTest, OrdinaryTarReadsSmallAndHugeMembers) {
  const skerry::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/x.tar";
  constexpr uint64_t kHuge = uint64_t{9} << 30;
  const std::string small = TarHeader("meta/small", 5) + "hello" + std::string(507, '\0');
  const std::string huge = TarHeader("data/000000", kHuge);
  const std::string after =
      TarHeader("data/000001", 3) + "end" + std::string(509 + kTarEndBytes, 0);
  {
    const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(::write(fd.get(), small.data(), small.size()), static_cast<ssize_t>(small.size()));
    ASSERT_EQ(::write(fd.get(), huge.data(), huge.size()), static_cast<ssize_t>(huge.size()));
    ASSERT_EQ(::pwrite(fd.get(), after.data(), after.size(),
                       static_cast<off_t>(small.size() + huge.size() + kHuge)),
              static_cast<ssize_t>(after.size()));
  }
  const std::string listing = Shell("tar --utc -tvf " + path);
  EXPECT_THAT(listing, HasSubstr("-rw-r--r-- 0/0               5 1970-01-01 00:00 meta/small"));
  EXPECT_THAT(listing, HasSubstr("9663676416 1970-01-01 00:00 data/000000"));
  EXPECT_THAT(listing, HasSubstr("3 1970-01-01 00:00 data/000001"));
  EXPECT_THAT(listing, HasSubstr("exit 0"));
  EXPECT_EQ(Shell("tar -xOf " + path + " meta/small"), "helloexit 0");
}

}  // namespace
}  // namespace skerry::format
