#include "bundler/format/tree.h"

#include <gtest/gtest.h>

#include <vector>

#include "appliance/base/encode.h"
#include "bundler/format/layout.h"

namespace skerry::format {
namespace {

// Inputs and roots of the reference tests of RFC 6962 (certificate-transparency, merkle_tree_test).
const char* const kInputs[] = {"",
                               "00",
                               "10",
                               "2021",
                               "3031",
                               "40414243",
                               "5051525354555657",
                               "606162636465666768696a6b6c6d6e6f"};
const char* const kRoots[] = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                              "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                              "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                              "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                              "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                              "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                              "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                              "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

TEST(TreeTest, RootsMatchTheReferenceOfRfc6962) {
  std::vector<Sha256Digest> leaves;
  for (size_t i = 0; i < std::size(kInputs); ++i) {
    std::vector<uint8_t> bytes(std::string_view(kInputs[i]).size() / 2);
    ASSERT_TRUE(HexDecode(kInputs[i], bytes));
    leaves.push_back(LeafHash(bytes));
    EXPECT_EQ(TreeRoot(leaves).Hex(), kRoots[i]) << leaves.size() << " leaves";
  }
}

TEST(TreeTest, RootOfNothingIsTheHashOfNothing) {
  EXPECT_EQ(TreeRoot({}).Hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(TreeTest, ChunksCoverAFileExactly) {
  for (const uint64_t size :
       {uint64_t{0}, uint64_t{1}, uint64_t{kChunkBytes} - 1, uint64_t{kChunkBytes},
        uint64_t{kChunkBytes} + 1, uint64_t{5} * kChunkBytes, uint64_t{1} << 41}) {
    const uint64_t count = ChunkCount(size);
    if (size == 0) {
      EXPECT_EQ(count, 0U);
      continue;
    }
    EXPECT_EQ((count - 1) * kChunkBytes + ChunkSize(size, count - 1), size);
    if (count > 1) {
      EXPECT_EQ(ChunkSize(size, 0), kChunkBytes);
    }
  }
}

}  // namespace
}  // namespace skerry::format
