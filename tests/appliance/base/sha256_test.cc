#include "appliance/base/sha256.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

// FIPS 180-4 examples.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(Sha256::Of("").Hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256::Of("abc").Hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, IncrementalEqualsWholeAndRestarts) {
  Sha256 hash;
  hash.Update("a");
  hash.Update("bc");
  EXPECT_EQ(hash.Finish(), Sha256::Of("abc"));
  hash.Update("abc");
  EXPECT_EQ(hash.Finish(), Sha256::Of("abc"));
}

TEST(Sha256, HexIsStrict) {
  const std::string good = Sha256::Of("abc").Hex();
  EXPECT_EQ(Sha256Digest::FromHex(good).value(), Sha256::Of("abc"));
  EXPECT_FALSE(Sha256Digest::FromHex(good.substr(1)).has_value());
  EXPECT_FALSE(Sha256Digest::FromHex("B" + good.substr(1)).has_value());
}

}  // namespace
}  // namespace skerry
