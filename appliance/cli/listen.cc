#include "appliance/cli/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace skerry::cli {

namespace {

constexpr int kBacklog = 1024;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* generic() { return reinterpret_cast<sockaddr*>(&storage); }
};

Result<SocketAddress> ToSocketAddress(const ListenAddress& address) {
  SocketAddress result;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (::inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    result.size = sizeof *v4;
  } else if (::inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    result.size = sizeof *v6;
  } else {
    return Error(ErrorCode::kInvalidArgument,
                 "'" + address.host + "' is not an IP address (names are not resolved here)");
  }
  return result;
}

std::string Format(const std::string& host, uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace

Result<ListenAddress> ParseListenAddress(const std::string& text) {
  const Error bad(ErrorCode::kInvalidArgument,
                  "'" + text + "' is not ADDRESS:PORT, e.g. 127.0.0.1:8443 or [::1]:8443");
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return bad;
  ListenAddress address;
  address.host = text.substr(0, colon);
  if (address.host.starts_with("[") && address.host.ends_with("]")) {
    address.host = address.host.substr(1, address.host.size() - 2);
  } else if (address.host.find(':') != std::string::npos) {
    return bad;
  }
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (status != std::errc() || stop != end || address.host.empty()) return bad;
  TRY(ToSocketAddress(address));
  return address;
}

Result<UniqueFd> ListenTcp(const ListenAddress& address) {
  SocketAddress target = TRY(ToSocketAddress(address));
  UniqueFd fd(::socket(target.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoError("cannot make a socket", errno);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const std::string name = Format(address.host, address.port);
  if (::bind(fd.get(), target.generic(), target.size) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    if (errno == EADDRINUSE) {
      return Error(ErrorCode::kAlreadyExists,
                   "port " + std::to_string(address.port) + " on " + address.host +
                       " is in use: stop what listens there (ss -ltnp) or choose another port");
    }
    return ErrnoError("cannot listen on " + name, errno);
  }
  return fd;
}

Result<std::string> LocalAddress(int socket) {
  SocketAddress local;
  local.size = sizeof local.storage;
  if (::getsockname(socket, local.generic(), &local.size) != 0) {
    return ErrnoError("cannot read a socket's address", errno);
  }
  char host[INET6_ADDRSTRLEN] = "";
  if (local.storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&local.storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
    return Format(host, ntohs(v4->sin_port));
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&local.storage);
  ::inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
  return Format(host, ntohs(v6->sin6_port));
}

}  // namespace skerry::cli
