#include "appliance/base/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace skerry {

namespace {

Result<sockaddr_un> Address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error(ErrorCode::kInvalidArgument,
                 "socket path '" + path + "' must have 1 to 107 bytes; use a shorter directory");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

Result<std::pair<UniqueFd, UniqueFd>> Pair(int type) {
  int fds[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) {
    return ErrnoError("cannot make a socket pair", errno);
  }
  return std::make_pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

}  // namespace

Result<UniqueFd> ListenUnix(const std::string& path, unsigned mode) {
  const sockaddr_un address = TRY(Address(path));
  if (ConnectUnix(path)) {
    return Error(ErrorCode::kAlreadyExists, "another process already listens on '" + path + "'");
  }
  ::unlink(path.c_str());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoError("cannot make a socket", errno);
  // Mode before bind, by fchmod on the socket: there is no moment with wider rights.
  if (::fchmod(fd.get(), mode) != 0 || ::bind(fd.get(), Generic(address), sizeof address) != 0 ||
      ::listen(fd.get(), 1024) != 0) {
    return ErrnoError("cannot listen on '" + path + "'", errno);
  }
  return fd;
}

Result<UniqueFd> ConnectUnix(const std::string& path) {
  const sockaddr_un address = TRY(Address(path));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoError("cannot make a socket", errno);
  if (::connect(fd.get(), Generic(address), sizeof address) != 0) {
    return ErrnoError("cannot connect to '" + path + "'", errno);
  }
  return fd;
}

Result<UniqueFd> AcceptUnix(int listener) {
  for (;;) {
    UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (fd) return fd;
    if (errno != EINTR && errno != ECONNABORTED) return ErrnoError("cannot accept", errno);
  }
}

Result<std::pair<UniqueFd, UniqueFd>> SeqpacketPair() { return Pair(SOCK_SEQPACKET); }
Result<std::pair<UniqueFd, UniqueFd>> StreamPair() { return Pair(SOCK_STREAM); }

Result<void> SendMessage(int socket, std::string_view bytes, const std::vector<int>& fds) {
  if (fds.size() > kMaxPassedFds) {
    return Error(ErrorCode::kInvalidArgument, "too many descriptors for one message");
  }
  iovec data{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxPassedFds)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  }
  for (;;) {
    const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return ErrnoError("cannot send a message", errno);
    if (static_cast<size_t>(sent) < bytes.size()) {
      return WriteFully(socket, bytes.substr(static_cast<size_t>(sent)));
    }
    return {};
  }
}

Result<PassedMessage> ReceiveMessage(int socket, size_t max_bytes) {
  PassedMessage result;
  result.bytes.resize(max_bytes);
  iovec data{result.bytes.data(), result.bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxPassedFds)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return ErrnoError("cannot receive a message", errno);
  // Descriptors first, so that they are closed on every way out.
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      result.fds.emplace_back(fd);
    }
  }
  if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
    return Error(ErrorCode::kExhausted,
                 "a message is longer than " + std::to_string(max_bytes) + " bytes");
  }
  result.bytes.resize(static_cast<size_t>(got));
  return result;
}

Result<void> WriteFully(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t put = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == ENOTSOCK) put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return ErrnoError("cannot write", errno);
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return {};
}

Result<std::string> ReadLine(int fd, size_t max_bytes) {
  std::string line;
  for (;;) {
    char c;
    const ssize_t got = ::read(fd, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError("cannot read a line", errno);
    if (got == 0) return Error(ErrorCode::kUnavailable, "the other side closed the connection");
    if (c == '\n') return line;
    if (line.size() == max_bytes) {
      return Error(ErrorCode::kExhausted,
                   "a line is longer than " + std::to_string(max_bytes) + " bytes");
    }
    line.push_back(c);
  }
}

Result<uid_t> PeerUid(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return ErrnoError("cannot read the peer's identity", errno);
  }
  return credentials.uid;
}

}  // namespace skerry
