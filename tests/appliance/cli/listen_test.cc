#include "appliance/cli/listen.h"

#include <gtest/gtest.h>

namespace skerry::cli {
namespace {

TEST(Listen, ParsesAddresses) {
  EXPECT_EQ(ParseListenAddress("127.0.0.1:8443").value().port, 8443);
  EXPECT_EQ(ParseListenAddress("[::1]:0").value().host, "::1");
}

TEST(Listen, RefusesWhatIsNoAddress) {
  for (const char* bad :
       {"", "8443", "localhost:8443", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
        "127.0.0.1:-1", "::1:8443", ":8443", "127.0.0.1:80 "}) {
    const auto parsed = ParseListenAddress(bad);
    ASSERT_FALSE(parsed.has_value()) << bad;
    EXPECT_EQ(parsed.error().code(), ErrorCode::kInvalidArgument) << bad;
  }
}

TEST(Listen, ATakenPortIsNamed) {
  const UniqueFd first = ListenTcp({"127.0.0.1", 0}).value();
  const std::string local = LocalAddress(first.get()).value();
  const auto second = ListenTcp(ParseListenAddress(local).value());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_NE(second.error().message().find(local.substr(local.rfind(':') + 1)), std::string::npos);
}

}  // namespace
}  // namespace skerry::cli
