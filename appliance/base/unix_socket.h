// Unix sockets: how processes of the appliance meet, and how open files travel between them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"

namespace skerry {

// Most descriptors one message carries (the kernel's SCM_MAX_FD is 253).
inline constexpr size_t kMaxPassedFds = 64;

// Listening stream socket at `path`; a stale socket file there is replaced, a live one is
// kAlreadyExists. Path limit: 107 bytes (kInvalidArgument).
Result<UniqueFd> ListenUnix(const std::string& path, unsigned mode = 0600);
Result<UniqueFd> ConnectUnix(const std::string& path);
Result<UniqueFd> AcceptUnix(int listener);

// A connected pair of SOCK_SEQPACKET sockets: messages keep their borders.
Result<std::pair<UniqueFd, UniqueFd>> SeqpacketPair();
Result<std::pair<UniqueFd, UniqueFd>> StreamPair();

struct PassedMessage {
  std::string bytes;
  std::vector<UniqueFd> fds;
};

// One message (a whole one on seqpacket sockets) with descriptors; blocks.
Result<void> SendMessage(int socket, std::string_view bytes, const std::vector<int>& fds = {});
// The next message, at most `max_bytes` (longer: kExhausted). Empty bytes and no fds: the peer
// closed.
Result<PassedMessage> ReceiveMessage(int socket, size_t max_bytes);

// All of `bytes`; blocks.
Result<void> WriteFully(int fd, std::string_view bytes);
// Bytes up to and without the next '\n'; kExhausted beyond `max_bytes`, kUnavailable when the peer
// closes first. Reads byte by byte: for short control messages.
Result<std::string> ReadLine(int fd, size_t max_bytes);

// The peer's user id (SO_PEERCRED).
Result<uid_t> PeerUid(int socket);

}  // namespace skerry
