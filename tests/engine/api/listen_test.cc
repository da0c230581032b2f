#include "engine/api/listen.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "appliance/base/testing/fixtures.h"

namespace skerry::engine {
namespace {

TEST(Listen, UnixSocketsAndSecondListeners) {
  const ::skerry::testing::TemporaryDirectory directory;
  const std::string address = "unix:" + directory.path() + "/s";
  const auto first = Listen(address);
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(first->unix_path, directory.path() + "/s");
  EXPECT_EQ(Listen(address).error().code(), ErrorCode::kAlreadyExists);
}

TEST(Listen, LoopbackPortsAndTakenOnes) {
  const auto first = Listen("127.0.0.1:0");
  ASSERT_TRUE(first) << first.error().message();
  sockaddr_in name{};
  socklen_t size = sizeof name;
  ASSERT_EQ(::getsockname(first->fd.get(), reinterpret_cast<sockaddr*>(&name), &size), 0);
  EXPECT_EQ(ntohl(name.sin_addr.s_addr), INADDR_LOOPBACK);
  const auto second = Listen("127.0.0.1:" + std::to_string(ntohs(name.sin_port)));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kAlreadyExists);
}

TEST(Listen, NothingElse) {
  for (const char* address : {"0.0.0.0:80", "192.0.2.1:80", "127.0.0.1", "127.0.0.1:x", "unix:", "",
                              "127.0.0.1:99999", "example.org:80", "127.0.0.2:80"}) {
    const auto listener = Listen(address);
    ASSERT_FALSE(listener) << address;
    EXPECT_EQ(listener.error().code(), ErrorCode::kInvalidArgument) << address;
  }
}

}  // namespace
}  // namespace skerry::engine
