#include "engine/api/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>

#include "appliance/base/unix_socket.h"

namespace skerry::engine {
namespace {

constexpr int kBacklog = 256;
constexpr std::string_view kUnixPrefix = "unix:";

Result<UniqueFd> BindTcp(const sockaddr* target, socklen_t size, const std::string& address) {
  UniqueFd fd(::socket(target->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoError("cannot make a socket", errno);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), target, size) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    if (errno == EADDRINUSE) {
      return Error(ErrorCode::kAlreadyExists,
                   "'" + address + "' is in use: stop what listens there or choose another port");
    }
    return ErrnoError("cannot listen on '" + address + "'", errno);
  }
  return fd;
}

Result<UniqueFd> ListenLoopback(const std::string& address) {
  const Error bad(ErrorCode::kInvalidArgument,
                  "cannot listen on '" + address +
                      "': only unix:/PATH, 127.0.0.1:PORT and [::1]:PORT are possible, because the "
                      "engine has no authentication of its own");
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return bad;
  uint16_t port = 0;
  const char* end = address.data() + address.size();
  const auto parsed = std::from_chars(address.data() + colon + 1, end, port);
  if (parsed.ec != std::errc() || parsed.ptr != end) return bad;
  const std::string_view host = std::string_view(address).substr(0, colon);
  if (host == "127.0.0.1" || host == "localhost") {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return BindTcp(reinterpret_cast<const sockaddr*>(&v4), sizeof v4, address);
  }
  if (host == "[::1]") {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_addr = in6addr_loopback;
    return BindTcp(reinterpret_cast<const sockaddr*>(&v6), sizeof v6, address);
  }
  return bad;
}

}  // namespace

Result<Listener> Listen(const std::string& address) {
  Listener listener;
  if (!address.starts_with(kUnixPrefix)) {
    listener.fd = TRY(ListenLoopback(address));
    return listener;
  }
  listener.unix_path = address.substr(kUnixPrefix.size());
  if (listener.unix_path.empty()) {
    return Error(ErrorCode::kInvalidArgument, "--listen unix: needs a path");
  }
  listener.fd = TRY(ListenUnix(listener.unix_path));
  return listener;
}

}  // namespace skerry::engine
