#include "proxy/sandbox/internal/ways.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "appliance/base/unique_fd.h"

namespace skerry::proxy::internal {
namespace {

constexpr std::string_view kMessage = "skerry-egress-probe\n";

std::string Describe(std::string_view call, int error) {
  return std::string(call) + ": " + std::strerror(error);
}

Verdict Blocked(std::string_view call, int error) {
  return {EgressOutcome::kBlocked, Describe(call, error)};
}
Verdict Reached(std::string detail) { return {EgressOutcome::kReached, std::move(detail)}; }

// Only errors which the kernel gives before anything is sent count as blocked. All others (refused
// by the peer, no route to the host, timed out) mean that packets left, or might have.
Verdict Judge(std::string_view call, int error) {
  switch (error) {
    case EPERM:
    case EACCES:
    case ENOSYS:
    case ENETUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
    case EOPNOTSUPP:
    case ENODEV:
    case EISCONN:  // an inherited socket is still what it was
    case ENOTCONN:
    case EPIPE:
      return Blocked(call, error);
    default:
      return Reached(Describe(call, error) + " (not known to be blocked)");
  }
}

bool WaitFor(int fd, short events, int timeout_ms) {
  pollfd item{fd, events, 0};
  return ::poll(&item, 1, timeout_ms) == 1;
}

Verdict AwaitAnswer(int fd, std::string_view call, int timeout_ms) {
  if (!WaitFor(fd, POLLIN, timeout_ms)) return Reached(std::string(call) + ": sent, no answer");
  char buffer[256];
  const ssize_t got = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (got > 0) return Reached(std::string(call) + ": answered");
  return got == 0 ? Reached(std::string(call) + ": closed by the peer") : Judge(call, errno);
}

// After a connect or fast-open send that returned `rc` with `error`: whether a peer answers.
Verdict FinishTcp(int fd, std::string_view call, int rc, int error, bool sent, int timeout_ms) {
  if (rc < 0 && error != EINPROGRESS) return Judge(call, error);
  if (!WaitFor(fd, POLLOUT, timeout_ms)) return Reached(std::string(call) + ": sent, no answer");
  int pending = 0;
  socklen_t length = sizeof pending;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &length);
  if (pending != 0) return Judge(call, pending);
  if (!sent) ::send(fd, kMessage.data(), kMessage.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return AwaitAnswer(fd, call, timeout_ms);
}

int Disconnect(int fd) {
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  return ::connect(fd, &nowhere, sizeof nowhere);
}

Verdict Connect(int fd, const Target& target, int timeout_ms) {
  const int flags = ::fcntl(fd, F_GETFL);
  ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  const int rc = ::connect(fd, target.get(), target.length);
  const int error = errno;
  ::fcntl(fd, F_SETFL, flags);
  return FinishTcp(fd, "connect", rc, error, /*sent=*/false, timeout_ms);
}

bool CanOpenUdp(int family) {
  return static_cast<bool>(UniqueFd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
}

uint16_t InternetChecksum(const uint8_t* bytes, size_t size) {
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < size; i += 2)
    sum += static_cast<uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

}  // namespace

bool ParseTarget(int family, const std::string& text, uint16_t port, Target* target) {
  *target = {};
  if (family == AF_INET) {
    auto* address = reinterpret_cast<sockaddr_in*>(&target->address);
    if (::inet_pton(AF_INET, text.c_str(), &address->sin_addr) != 1) return false;
    address->sin_port = htons(port);
    target->length = sizeof *address;
  } else {
    auto* address = reinterpret_cast<sockaddr_in6*>(&target->address);
    if (::inet_pton(AF_INET6, text.c_str(), &address->sin6_addr) != 1) return false;
    address->sin6_port = htons(port);
    target->length = sizeof *address;
  }
  target->address.ss_family = static_cast<sa_family_t>(family);
  return true;
}

bool TargetFor(int socket, const std::string& ipv4, const std::string& ipv6, uint16_t port,
               Target* target) {
  int domain = AF_INET;
  socklen_t length = sizeof domain;
  ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &length);
  if (domain != AF_INET6) return ParseTarget(AF_INET, ipv4, port, target);
  // What systemd listens with takes both families, IPv4 as mapped addresses (RFC 4291, 2.5.5.2).
  return ParseTarget(AF_INET6, ipv4.empty() ? ipv6 : "::ffff:" + ipv4, port, target);
}

Verdict TryTcp(const Target& target, int timeout_ms) {
  const UniqueFd fd(::socket(target.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return Judge("socket", errno);
  return Connect(fd.get(), target, timeout_ms);
}

Verdict TryUdp(const Target& target, int timeout_ms) {
  const UniqueFd fd(::socket(target.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return Judge("socket", errno);
  if (::sendto(fd.get(), kMessage.data(), kMessage.size(), 0, target.get(), target.length) < 0) {
    return Judge("sendto", errno);
  }
  return AwaitAnswer(fd.get(), "sendto", timeout_ms);
}

Verdict TryEcho(const Target& target, int type, int timeout_ms) {
  const bool v4 = target.family() == AF_INET;
  const int protocol = v4 ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6);
  const UniqueFd fd(::socket(target.family(), type | SOCK_CLOEXEC, protocol));
  if (!fd) return Judge("socket", errno);
  // Type, code, checksum, identifier, sequence (RFC 792, RFC 4443); the kernel adds ICMPv6's
  // checksum.
  uint8_t packet[16] = {static_cast<uint8_t>(v4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST)};
  packet[7] = 1;
  if (v4) {
    const uint16_t checksum = InternetChecksum(packet, sizeof packet);
    packet[2] = static_cast<uint8_t>(checksum >> 8);
    packet[3] = static_cast<uint8_t>(checksum & 0xff);
  }
  Target without_port = target;  // a raw socket takes the port for a protocol number
  if (v4) {
    reinterpret_cast<sockaddr_in*>(&without_port.address)->sin_port = 0;
  } else {
    reinterpret_cast<sockaddr_in6*>(&without_port.address)->sin6_port = 0;
  }
  if (::sendto(fd.get(), packet, sizeof packet, 0, without_port.get(), without_port.length) < 0) {
    return Judge("sendto", errno);
  }
  return AwaitAnswer(fd.get(), "echo request", timeout_ms);
}

Verdict TryPacketSocket() {
  const UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
  return fd ? Reached("socket: opened") : Judge("socket", errno);
}

Verdict TryVsock() {
  const UniqueFd fd(::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return Judge("socket", errno);
  // Nobody is called: without a local transport every address leads to the hypervisor.
  return {EgressOutcome::kUntested, "socket: opened; the hypervisor is not called"};
}

Verdict TryNetlink(int timeout_ms) {
  const UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return Judge("socket", errno);
  struct {
    nlmsghdr header{};
    rtgenmsg message{};
  } request;
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.message);
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  if (::send(fd.get(), &request, request.header.nlmsg_len, 0) < 0) return Judge("send", errno);
  return AwaitAnswer(fd.get(), "RTM_GETLINK", timeout_ms);
}

Verdict TryIoUring() {
  io_uring_params params{};
  const UniqueFd ring(static_cast<int>(::syscall(SYS_io_uring_setup, 4, &params)));
  return ring ? Reached("io_uring_setup: a ring, which can open sockets")
              : Judge("io_uring_setup", errno);
}

Verdict TryResolve(const std::string& host_name) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int rc = ::getaddrinfo(host_name.c_str(), nullptr, &hints, &list);
  if (list != nullptr) ::freeaddrinfo(list);
  if (rc == 0) return Reached("getaddrinfo: resolved");
  const std::string detail = std::string("getaddrinfo: ") + ::gai_strerror(rc);
  // "No such name" may be a server's answer, unless no server can be asked. (The name services of
  // the host, which could ask for us, are tried as Unix sockets.)
  if (rc == EAI_NONAME && (CanOpenUdp(AF_INET) || CanOpenUdp(AF_INET6))) return Reached(detail);
  return {EgressOutcome::kBlocked, detail};
}

Verdict TryUnix(const std::string& path, bool abstract) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t offset = abstract ? 1 : 0;
  if (path.size() + 1 > sizeof address.sun_path) return Blocked("connect", ENAMETOOLONG);
  std::memcpy(address.sun_path + offset, path.data(), path.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  int error = 0;
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    const UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return Judge("socket", errno);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length) == 0) {
      return Reached("connect: connected");
    }
    error = errno;
    if (error != EPROTOTYPE) break;
  }
  // An abstract name nobody has in this namespace is refused, a path without a file is not there.
  if (error == ENOENT || (abstract && error == ECONNREFUSED)) return Blocked("connect", error);
  if (error == ECONNREFUSED) return Reached("connect: there, though nobody listens");
  return Judge("connect", error);
}

Verdict TryReconnect(int socket, const Target& target, int timeout_ms) {
  const bool turned = Disconnect(socket) == 0;
  const int error = errno;
  Verdict verdict = Connect(socket, target, timeout_ms);
  if (!turned) verdict.detail = Describe("connect(AF_UNSPEC)", error) + "; " + verdict.detail;
  return verdict;
}

Verdict TryFastOpenConnect(int socket, const Target& target, int timeout_ms) {
  const int on = 1;
  if (::setsockopt(socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on) == 0) {
    return TryReconnect(socket, target, timeout_ms);
  }
  const std::string option = Describe("setsockopt(TCP_FASTOPEN_CONNECT)", errno) + "; ";
  // A kernel may demand a closed socket for the option.
  if (Disconnect(socket) == 0)
    ::setsockopt(socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on);
  Verdict verdict = TryReconnect(socket, target, timeout_ms);
  verdict.detail = option + verdict.detail;
  return verdict;
}

Verdict TryFastOpen(int socket, const Target& target, const FastOpenSteps& steps, int timeout_ms) {
  if (steps.shut_down) ::shutdown(socket, SHUT_RDWR);
  if (steps.disconnect) Disconnect(socket);
  constexpr int kFlags = MSG_FASTOPEN | MSG_NOSIGNAL | MSG_DONTWAIT;
  ssize_t sent;
  if (steps.call == FastOpenCall::kSendto) {
    sent = ::sendto(socket, kMessage.data(), kMessage.size(), kFlags, target.get(), target.length);
  } else {
    iovec part{const_cast<char*>(kMessage.data()), kMessage.size()};
    msghdr message{};
    message.msg_name = const_cast<sockaddr*>(target.get());
    message.msg_namelen = target.length;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    sent = ::sendmsg(socket, &message, kFlags);
  }
  const char* call =
      steps.call == FastOpenCall::kSendto ? "sendto(MSG_FASTOPEN)" : "sendmsg(MSG_FASTOPEN)";
  return FinishTcp(socket, call, sent < 0 ? -1 : 0, errno, /*sent=*/sent > 0, timeout_ms);
}

}  // namespace skerry::proxy::internal
