// The dialer: a tiny process that is forked before the proxy touches a TCP socket or starts a
// thread, and that makes the proxy's only outgoing connections: to engine sockets below the run
// directory, or to one fixed loopback port. The proxy itself is then forbidden to make any. See
// docs/architecture.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"

namespace skerry::proxy {

struct DialerConfig {
  // Exactly one of the two.
  std::string run_directory;              // engines: connects to engine/IID/sock below it
  std::optional<uint16_t> loopback_port;  // admin: connects to 127.0.0.1:PORT
};

// Targets as the dialer's messages spell them.
std::string EngineTarget(std::string_view instance_id);
inline constexpr std::string_view kAdminTarget = "admin";

// Forks the dialer. The descriptor is this process's end (non-blocking, SOCK_SEQPACKET); the dialer
// ends when it is closed or when this process ends. To be called while the process has one thread.
Result<UniqueFd> ForkDialer(const DialerConfig& config);

// One request; answers arrive in the order of the requests. kUnavailable when the dialer is
// overloaded or has ended.
Result<void> SendDial(int dialer, std::string_view target);

struct DialAnswer {
  UniqueFd socket;       // connected, non-blocking; empty when that failed
  int error_number = 0;  // then why
};

// The next answer; nullopt when there is none yet. An answer whose descriptor this process has no
// room for is EMFILE. kUnavailable when the dialer has ended.
Result<std::optional<DialAnswer>> ReceiveDial(int dialer);

}  // namespace skerry::proxy
