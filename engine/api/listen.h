// Where the engine listens: a Unix socket, or loopback TCP for trying it. It has no authentication
// of its own, so no other address is accepted.
#pragma once

#include <string>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"

namespace skerry::engine {

struct Listener {
  UniqueFd fd;
  std::string unix_path;  // to be removed at the end; empty for TCP
};

// `address`: "unix:/path/to/socket" or "127.0.0.1:PORT" or "[::1]:PORT". kInvalidArgument for
// anything else, kAlreadyExists when the socket or port is in use.
Result<Listener> Listen(const std::string& address);

}  // namespace skerry::engine
