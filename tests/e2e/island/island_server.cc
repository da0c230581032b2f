// Stand-ins for the island's proof: a socket-activated server with and without the filter, an
// ordinary process as control, and what systemd does (a socket made in one network, its owner in
// another).
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "appliance/base/process.h"
#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"
#include "proxy/sandbox/egress_probe.h"
#include "proxy/sandbox/sandbox.h"

namespace skerry::proxy {
namespace {

constexpr char kUsage[] =
    "usage: island_server probe TARGETS       probe as an ordinary process with sockets of its "
    "own\n"
    "       island_server serve TARGETS [open] probe on the inherited socket, in the sandbox "
    "unless "
    "'open'\n"
    "       island_server handover PORT NETNS PROGRAM ARGS...\n"
    "           listen on PORT here, go over to the network namespace NETNS, run PROGRAM there\n";

Result<UniqueFd> Listen(uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  if (!fd) return ErrnoError("cannot make a socket", errno);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 16) != 0) {
    return ErrnoError("cannot listen on port " + std::to_string(port), errno);
  }
  return fd;
}

// Connects to `listener` over loopback and holds the connection.
Result<UniqueFd> ConnectToOwn(int listener) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  if (::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return ErrnoError("getsockname", errno);
  }
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) {
    return ErrnoError("cannot connect to the socket of its own", errno);
  }
  return fd;
}

Result<int> ProbeAsOrdinaryProcess(const EgressTargets& targets) {
  const UniqueFd listener = TRY(Listen(0));
  const UniqueFd client = TRY(ConnectToOwn(listener.get()));
  return ServeEgressProbe(targets, listener.get(), STDOUT_FILENO);
}

Result<int> ServeInherited(const EgressTargets& targets, bool open) {
  const std::vector<std::pair<int, std::string>> sockets = TakeListenFds();
  if (sockets.empty()) {
    return Error(ErrorCode::kInvalidArgument, "no socket was handed over (LISTEN_FDS)");
  }
  NotifySystemd("READY=1");
  if (!open) TRY(EnterSandbox());
  const auto tls = std::find_if(sockets.begin(), sockets.end(),
                                [](const auto& socket) { return socket.second == "tls"; });
  const int listener = tls == sockets.end() ? sockets.front().first : tls->first;
  return ServeEgressProbe(targets, listener, STDOUT_FILENO);
}

Result<int> Handover(uint16_t port, const std::string& netns, char** argv) {
  UniqueFd listener = TRY(Listen(port));
  const UniqueFd space(::open(netns.c_str(), O_RDONLY | O_CLOEXEC));
  if (!space || ::setns(space.get(), CLONE_NEWNET) != 0) {
    return ErrnoError("cannot go over to '" + netns + "'", errno);
  }
  constexpr int kFirstListenFd = 3;
  if (listener.get() != kFirstListenFd) {
    if (::dup2(listener.get(), kFirstListenFd) < 0) return ErrnoError("dup2", errno);
  } else {
    (void)listener.Release();
  }
  ::setenv("LISTEN_FDS", "1", 1);
  ::setenv("LISTEN_FDNAMES", "tls", 1);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::execv(argv[0], argv);
  return ErrnoError(std::string("cannot run '") + argv[0] + "'", errno);
}

Result<int> Run(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "handover" && argc > 4) {
    return Handover(static_cast<uint16_t>(std::atoi(argv[2])), argv[3], argv + 4);
  }
  if ((mode != "probe" && mode != "serve") || argc < 3) {
    return Error(ErrorCode::kInvalidArgument, kUsage);
  }
  const EgressTargets targets = TRY(ParseEgressTargets(argv[2]));
  if (mode == "probe") return ProbeAsOrdinaryProcess(targets);
  return ServeInherited(targets, argc > 3 && std::string_view(argv[3]) == "open");
}

}  // namespace
}  // namespace skerry::proxy

int main(int argc, char** argv) {
  const skerry::Result<int> reached = skerry::proxy::Run(argc, argv);
  if (reached) return *reached == 0 ? 0 : 1;
  std::fprintf(stderr, "island_server: %s\n", reached.error().message().c_str());
  return 2;
}
