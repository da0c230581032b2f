// The single ways out that the egress probe tries. Each takes what it needs and ends within the
// timeout.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "proxy/sandbox/egress_probe.h"

namespace skerry::proxy::internal {

struct Verdict {
  EgressOutcome outcome;
  std::string detail;
};

// An address and port of either family.
struct Target {
  sockaddr_storage address{};
  socklen_t length = 0;
  int family() const { return address.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

// False when `text` is no address of `family`.
bool ParseTarget(int family, const std::string& text, uint16_t port, Target* target);
// The address in the form that `socket`, an internet socket of either family, can connect to; false
// when there is none.
bool TargetFor(int socket, const std::string& ipv4, const std::string& ipv6, uint16_t port,
               Target* target);

Verdict TryTcp(const Target& target, int timeout_ms);
Verdict TryUdp(const Target& target, int timeout_ms);
// An echo request through a socket of `type`: SOCK_DGRAM (ping socket) or SOCK_RAW.
Verdict TryEcho(const Target& target, int type, int timeout_ms);
Verdict TryPacketSocket();
Verdict TryVsock();
// Asks the kernel for the network interfaces.
Verdict TryNetlink(int timeout_ms);
Verdict TryIoUring();
Verdict TryResolve(const std::string& host_name);
// `path` is a path, or a name in the abstract namespace.
Verdict TryUnix(const std::string& path, bool abstract);

// connect(AF_UNSPEC), then connect().
Verdict TryReconnect(int socket, const Target& target, int timeout_ms);
// The same with TCP_FASTOPEN_CONNECT set before.
Verdict TryFastOpenConnect(int socket, const Target& target, int timeout_ms);
enum class FastOpenCall { kSendto, kSendmsg };
// shutdown() and connect(AF_UNSPEC) as far as wanted, their failure not minded; then MSG_FASTOPEN.
struct FastOpenSteps {
  bool shut_down = false;
  bool disconnect = false;
  FastOpenCall call = FastOpenCall::kSendto;
};
Verdict TryFastOpen(int socket, const Target& target, const FastOpenSteps& steps, int timeout_ms);

}  // namespace skerry::proxy::internal
