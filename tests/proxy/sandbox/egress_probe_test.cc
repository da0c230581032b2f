#include "proxy/sandbox/egress_probe.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <thread>

#include "appliance/base/process.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unique_fd.h"
#include "appliance/base/unix_socket.h"
#include "proxy/sandbox/sandbox.h"

namespace skerry::proxy {
namespace {

struct Listener {
  UniqueFd fd;
  sockaddr_in address{};
};

Listener ListenOnLoopback() {
  Listener listener{UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), {}};
  listener.address.sin_family = AF_INET;
  listener.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof listener.address;
  auto* address = reinterpret_cast<sockaddr*>(&listener.address);
  EXPECT_EQ(::bind(listener.fd.get(), address, length), 0);
  EXPECT_EQ(::listen(listener.fd.get(), 16), 0);
  EXPECT_EQ(::getsockname(listener.fd.get(), address, &length), 0);
  return listener;
}

// What the probe says in a child of this process: a service with its own listening socket, in the
// sandbox or not, next to a sink on loopback that a listening socket without anybody accepting is.
std::string ProbeLines(bool sandbox, const std::string& unix_path) {
  const Listener sink = ListenOnLoopback();
  const Listener service = ListenOnLoopback();
  auto [here, there] = StreamPair().value();
  EgressTargets targets;
  targets.ipv4 = "127.0.0.1";
  targets.port = ntohs(sink.address.sin_port);
  targets.unix_paths = {unix_path, "/run/skerry-no-such-socket"};
  targets.shut_listener_down = true;
  targets.answer_timeout_ms = 50;
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (sandbox && !EnterSandbox()) ::_exit(250);
    const Result<int> reached = ServeEgressProbe(targets, service.fd.get(), there.get());
    ::_exit(reached ? *reached : 251);
  }
  there.Reset();
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&service.address),
                      sizeof service.address),
            0);
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = ::read(here.get(), buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(got));
  }
  const ExitState state = WaitForExit(pid, 30'000).value().value();
  EXPECT_FALSE(state.signalled) << state.Describe();
  EXPECT_EQ(state.code == 0, sandbox) << text;
  return text;
}

// Whether the line of `way` says blocked.
std::string BlockedValue(const std::string& text, const std::string& way) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.find("\"way\":\"" + way + "\"") == std::string::npos) continue;
    const size_t value = line.find("\"blocked\":") + 10;
    return line.substr(value, line.find_first_of(",}", value) - value);
  }
  return "absent";
}

const char* const kAtHand[] = {"accepted.fastopen",  "accepted.fastopen_sendmsg",
                               "accepted.reconnect", "accepted.fastopen_connect",
                               "listener.fastopen",  "listener.fastopen_sendmsg",
                               "listener.reconnect", "listener.fastopen_connect"};

TEST(EgressProbe, FindsEveryWayBlockedInTheSandbox) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/host.sock";
  const UniqueFd host = ListenUnix(path).value();
  const std::string text = ProbeLines(/*sandbox=*/true, path);
  EXPECT_NE(text.find("{\"interfaces\":["), std::string::npos);
  EXPECT_NE(text.find("\"sandbox\":true"), std::string::npos);
  for (const char* way : {"tcp4", "udp4", "icmp4", "raw4", "dns", "packet", "vsock", "netlink",
                          "io_uring", "abstract:skerry-egress"}) {
    EXPECT_EQ(BlockedValue(text, way), "true") << way << "\n" << text;
  }
  EXPECT_EQ(BlockedValue(text, "unix:" + path), "true") << text;
  for (const char* way : kAtHand) EXPECT_EQ(BlockedValue(text, way), "true") << way << "\n" << text;
  EXPECT_EQ(BlockedValue(text, "tcp6"), "null") << "no address was given";
  EXPECT_NE(text.find("\"reached\":0"), std::string::npos) << text;
}

TEST(EgressProbe, FindsTheWaysOpenInAnOrdinaryProcess) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/host.sock";
  const UniqueFd host = ListenUnix(path).value();
  const std::string text = ProbeLines(/*sandbox=*/false, path);
  EXPECT_NE(text.find("\"sandbox\":false"), std::string::npos);
  EXPECT_EQ(BlockedValue(text, "tcp4"), "false") << text;
  EXPECT_EQ(BlockedValue(text, "udp4"), "false") << text;
  EXPECT_EQ(BlockedValue(text, "netlink"), "false") << text;
  EXPECT_EQ(BlockedValue(text, "unix:" + path), "false") << text;
  EXPECT_EQ(BlockedValue(text, "unix:/run/skerry-no-such-socket"), "true") << text;
  for (const char* way : kAtHand)
    EXPECT_EQ(BlockedValue(text, way), "false") << way << "\n" << text;
}

TEST(EgressProbe, TargetsAreParsed) {
  const EgressTargets both = ParseEgressTargets("192.0.2.1,fd00::1,shutdown").value();
  EXPECT_EQ(both.ipv4, "192.0.2.1");
  EXPECT_EQ(both.ipv6, "fd00::1");
  EXPECT_TRUE(both.shut_listener_down);
  EXPECT_FALSE(ParseEgressTargets("fd00::1").value().shut_listener_down);
  for (const char* bad : {"", "shutdown", "192.0.2.1,", "192.0.2.1,192.0.2.2", "host.example"}) {
    const Result<EgressTargets> parsed = ParseEgressTargets(bad);
    ASSERT_FALSE(parsed.has_value()) << bad;
    EXPECT_EQ(parsed.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(EgressProbe, FindingsAreOneJsonLine) {
  EXPECT_EQ(EgressFindingLine({"tcp4", EgressOutcome::kBlocked, "socket: no"}),
            "{\"blocked\":true,\"detail\":\"socket: no\",\"way\":\"tcp4\"}\n");
  EXPECT_EQ(EgressFindingLine({"vsock", EgressOutcome::kUntested, ""}),
            "{\"blocked\":null,\"detail\":\"\",\"way\":\"vsock\"}\n");
}

}  // namespace
}  // namespace skerry::proxy
