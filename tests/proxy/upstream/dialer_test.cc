#include "proxy/upstream/dialer.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"

namespace skerry::proxy {
namespace {

DialAnswer Wait(int dialer) {
  pollfd wait{dialer, POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, 10'000), 1);
  auto answer = ReceiveDial(dialer);
  if (!answer || !*answer) {
    ADD_FAILURE() << "no answer";
    return {};
  }
  return std::move(**answer);
}

DialAnswer Dial(int dialer, std::string_view target) {
  EXPECT_TRUE(SendDial(dialer, target).has_value());
  return Wait(dialer);
}

class DialerTest : public ::testing::Test {
 protected:
  DialerTest() : files_(OpenFiles(directory_.path()).value()) {
    EXPECT_TRUE(MakeDirectories(*files_, "engine/0a1b2c3d").has_value());
    EXPECT_TRUE(MakeDirectories(*files_, "engine/11111111").has_value());
    DialerConfig config;
    config.run_directory = directory_.path();
    dialer_ = ForkDialer(config).value();
  }
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<FileSystem> files_;
  UniqueFd dialer_;
};

TEST_F(DialerTest, ConnectsToAnEngineAndNothingElse) {
  const UniqueFd engine = ListenUnix(Path("engine/0a1b2c3d/sock")).value();
  const UniqueFd secret = ListenUnix(Path("supervisor.sock")).value();
  const DialAnswer good = Dial(dialer_.get(), EngineTarget("0a1b2c3d"));
  ASSERT_TRUE(static_cast<bool>(good.socket));
  const UniqueFd accepted = AcceptUnix(engine.get()).value();
  ASSERT_TRUE(WriteFully(good.socket.get(), "hi\n").has_value());
  EXPECT_EQ(ReadLine(accepted.get(), 10).value(), "hi");

  for (const std::string target :
       {"engine:", "engine:0a1b2c3", "engine:0a1b2c3d0", "engine:0A1B2C3D", "engine:../../su",
        "engine:0a1b2c3\0", "engine:../0a1b2", "supervisor.sock", "admin", "0a1b2c3d",
        "engine:0a1b2c3d/../../supervisor.sock and much more"}) {
    EXPECT_EQ(Dial(dialer_.get(), target).error_number, EINVAL) << target;
  }
  EXPECT_EQ(Dial(dialer_.get(), EngineTarget("ffffffff")).error_number, ENOENT);
}

// An engine may write in its own folder only: what it puts there must not lead to another socket.
TEST_F(DialerTest, SymbolicLinkToAnotherSocketIsRefused) {
  const UniqueFd secret = ListenUnix(Path("supervisor.sock")).value();
  ASSERT_EQ(::symlink("../../supervisor.sock", Path("engine/11111111/sock").c_str()), 0);
  EXPECT_EQ(Dial(dialer_.get(), EngineTarget("11111111")).error_number, EPERM);
}

// Out of descriptors: that dial fails, the next ones do not.
TEST_F(DialerTest, NoRoomForADescriptorFailsOneDialOnly) {
  const UniqueFd engine = ListenUnix(Path("engine/0a1b2c3d/sock")).value();
  ASSERT_TRUE(SendDial(dialer_.get(), EngineTarget("0a1b2c3d")).has_value());
  pollfd wait{dialer_.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&wait, 1, 10'000), 1);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto answer = ReceiveDial(dialer_.get());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  ASSERT_TRUE(answer->has_value());
  EXPECT_FALSE(static_cast<bool>((*answer)->socket));
  EXPECT_EQ((*answer)->error_number, EMFILE);
  EXPECT_TRUE(static_cast<bool>(Dial(dialer_.get(), EngineTarget("0a1b2c3d")).socket));
}

TEST_F(DialerTest, AnswersKeepTheirOrder) {
  const UniqueFd engine = ListenUnix(Path("engine/0a1b2c3d/sock")).value();
  ASSERT_TRUE(SendDial(dialer_.get(), EngineTarget("0a1b2c3d")).has_value());
  ASSERT_TRUE(SendDial(dialer_.get(), "nonsense").has_value());
  ASSERT_TRUE(SendDial(dialer_.get(), EngineTarget("0a1b2c3d")).has_value());
  EXPECT_TRUE(static_cast<bool>(Wait(dialer_.get()).socket));
  EXPECT_EQ(Wait(dialer_.get()).error_number, EINVAL);
  EXPECT_TRUE(static_cast<bool>(Wait(dialer_.get()).socket));
  const auto nothing = ReceiveDial(dialer_.get());
  ASSERT_TRUE(nothing.has_value());
  EXPECT_FALSE(nothing->has_value());
}

TEST(Dialer, LoopbackPortIsTheOnlyOne) {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  DialerConfig config;
  config.loopback_port = ntohs(address.sin_port);
  const UniqueFd dialer = ForkDialer(config).value();
  EXPECT_EQ(Dial(dialer.get(), kAdminTarget).error_number, ECONNREFUSED);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  EXPECT_TRUE(static_cast<bool>(Dial(dialer.get(), kAdminTarget).socket));
  EXPECT_EQ(Dial(dialer.get(), EngineTarget("0a1b2c3d")).error_number, EINVAL);
}

TEST(Dialer, NoRunDirectory) {
  DialerConfig config;
  config.run_directory = "/nonexistent/run";
  const auto dialer = ForkDialer(config);
  ASSERT_FALSE(dialer.has_value());
  EXPECT_EQ(dialer.error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace skerry::proxy
