// Tries every way out from inside the process that serves, with the sockets it really holds, and
// says for each whether it is blocked. The same code in an ordinary process is the control: there
// each way must come out as reached, otherwise the probe proves nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"

namespace skerry::proxy {

enum class EgressOutcome {
  kBlocked,   // nothing left this process, and the reason is known
  kReached,   // an answer came, or the kernel at least accepted something for sending
  kUntested,  // this machine gives no way to try
};

struct EgressFinding {
  std::string way;  // "tcp4", "dns", "unix:/run/docker.sock", "accepted.reconnect", ...
  EgressOutcome outcome = EgressOutcome::kUntested;
  std::string detail;  // e.g. "socket: Operation not permitted"
};

// Where the probe tries to get to. A sink there that answers makes the control conclusive; nothing
// of a client's or of the appliance's is ever sent.
struct EgressTargets {
  std::string ipv4;  // dotted; empty: the IPv4 ways are untested
  std::string ipv6;
  uint16_t port = 7;                             // echo (RFC 862), for TCP and UDP
  std::string host_name = "egress.skerry.test";  // RFC 6761: exists nowhere but in a test's own DNS
  // Control sockets that a service must not see.
  std::vector<std::string> unix_paths = {"/run/systemd/private",
                                         "/run/systemd/notify",
                                         "/run/systemd/journal/socket",
                                         "/run/systemd/resolve/io.systemd.Resolve",
                                         "/run/dbus/system_bus_socket",
                                         "/run/nscd/socket",
                                         "/run/docker.sock",
                                         "/run/containerd/containerd.sock",
                                         "/run/podman/podman.sock"};
  std::vector<std::string> abstract_names = {"skerry-egress"};
  // Also calls shutdown() on the listening socket, as the trick has it. That breaks the socket for
  // everybody who shares it (systemd), so only where it is made for the test.
  bool shut_listener_down = false;
  int answer_timeout_ms = 1000;  // for one way
};

// Words separated by commas: an IPv4 address, an IPv6 address (one of each at most, at least one),
// and "shutdown" for shut_listener_down. kInvalidArgument names the word.
Result<EgressTargets> ParseEgressTargets(std::string_view text);

// Tries all ways, those that harm `listener` and `accepted` (both stay open) last. One thread;
// takes less than a second where everything is blocked.
std::vector<EgressFinding> RunEgressProbe(const EgressTargets& targets, int listener, int accepted);

// {"way":"tcp4","blocked":true,"detail":"..."} and a newline; "blocked" is null where untested.
std::string EgressFindingLine(const EgressFinding& finding);

// Accepts one connection on `listener` (blocking or not), runs the probe with it and writes to
// `output` a line {"sandbox":true,"interfaces":["lo"]}, one line per finding, and a last one
// {"ways":N,"blocked":N,"reached":N,"untested":N}. Returns the number of ways that were reached.
Result<int> ServeEgressProbe(const EgressTargets& targets, int listener, int output);

}  // namespace skerry::proxy
