#include "appliance/base/encode.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

TEST(Encode, HexRoundTrip) {
  const std::vector<uint8_t> bytes = {0x00, 0x9f, 0xff};
  EXPECT_EQ(HexEncode(bytes), "009fff");
  std::vector<uint8_t> back(3);
  EXPECT_TRUE(HexDecode("009fff", back));
  EXPECT_EQ(back, bytes);
}

TEST(Encode, HexIsStrict) {
  std::vector<uint8_t> out(2);
  EXPECT_FALSE(HexDecode("00f", out));
  EXPECT_FALSE(HexDecode("00FF", out));
  EXPECT_FALSE(HexDecode("00fg", out));
}

// RFC 4648 section 10.
TEST(Encode, Base64Vectors) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : cases) {
    EXPECT_EQ(Base64Encode(AsBytes(plain)), encoded);
    const auto decoded = Base64Decode(encoded);
    ASSERT_TRUE(decoded.has_value()) << encoded;
    EXPECT_EQ(AsText(*decoded), plain);
  }
}

TEST(Encode, Base64IsStrict) {
  for (const char* bad : {"Zg", "Zg=", "Zm 8=", "Zm8=\n", "Zh==", "Zg==Zg==", "!!!!"}) {
    EXPECT_FALSE(Base64Decode(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace skerry
