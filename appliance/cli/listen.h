// TCP listening sockets for `skerry serve`, which hands them to the proxies as systemd would.
#pragma once

#include <string>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"

namespace skerry::cli {

struct ListenAddress {
  std::string host;  // an IPv4 address, or IPv6 without brackets
  uint16_t port = 0;
};

// "127.0.0.1:8443", "[::1]:8443". kInvalidArgument for anything else; names are not resolved.
Result<ListenAddress> ParseListenAddress(const std::string& text);

// Listening socket; kAlreadyExists with advice when the port is taken. Port 0 picks one.
Result<UniqueFd> ListenTcp(const ListenAddress& address);

// Where a socket listens, as "127.0.0.1:8443".
Result<std::string> LocalAddress(int socket);

}  // namespace skerry::cli
