#include "appliance/cli/services.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include "appliance/base/testing/fixtures.h"

namespace skerry::cli {
namespace {

using skerry::testing::TemporaryDirectory;

// A service as a Python script: only it can send a datagram to the notify socket portably here.
ServiceSpec Script(const std::string& body) {
  return {"test-service", [body]() -> Result<SpawnOptions> {
            SpawnOptions options;
            options.argv = {"/usr/bin/python3", "-c",
                            "import os,socket,time,sys\n"
                            "def ready():\n"
                            " s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n"
                            " s.sendto(b'STATUS=up\\nREADY=1',os.environ['NOTIFY_SOCKET'])\n" +
                                body};
            return options;
          }};
}

TEST(Services, StartReturnsWhenReadyAndStopEndsIt) {
  TemporaryDirectory directory;
  auto services = Services::Create(directory.path() + "/notify").value();
  ASSERT_TRUE(services->Start(Script("ready(); time.sleep(60)"), 20'000).has_value());
  ASSERT_EQ(services->ExitFds().size(), 1u);
  pollfd wait{services->ExitFds()[0], POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, 0), 0);
  services->StopAll(5'000);
  EXPECT_TRUE(services->ExitFds().empty());
}

TEST(Services, OneThatEndsEarlyIsAnError) {
  TemporaryDirectory directory;
  auto services = Services::Create(directory.path() + "/notify").value();
  const auto started = services->Start(Script("sys.exit(3)"), 20'000);
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().message().find("test-service ended before it was ready"),
            std::string::npos);
}

TEST(Services, OneThatNeverGetsReadyIsAnErrorAndIsStopped) {
  TemporaryDirectory directory;
  auto services = Services::Create(directory.path() + "/notify").value();
  const auto started = services->Start(Script("time.sleep(60)"), 200);
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().message().find("not ready within 200 ms"), std::string::npos);
}

TEST(Services, AnEndedServiceIsStartedAgainButNotForEver) {
  TemporaryDirectory directory;
  auto services = Services::Create(directory.path() + "/notify").value();
  ASSERT_TRUE(services->Start(Script("ready(); time.sleep(0.05)"), 20'000).has_value());
  int restarts = 0;
  for (;;) {
    pollfd wait{services->ExitFds()[0], POLLIN, 0};
    ASSERT_EQ(::poll(&wait, 1, 20'000), 1);
    if (!services->RestartEnded([&](const std::string&) { ++restarts; })) break;
    ASSERT_LT(restarts, 10);
  }
  EXPECT_EQ(restarts, 5);
}

}  // namespace
}  // namespace skerry::cli
