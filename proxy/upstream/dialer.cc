#include "proxy/upstream/dialer.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "appliance/base/unix_socket.h"
#include "proxy/sandbox/sandbox.h"

namespace skerry::proxy {

namespace {

constexpr std::string_view kEnginePrefix = "engine:";
constexpr size_t kInstanceIdSize = 8;
constexpr size_t kMaxTargetBytes = 32;
constexpr int kLoopbackTimeoutMs = 1'000;
constexpr rlim_t kDialerFiles = 16;

bool IsInstanceId(std::string_view id) {
  if (id.size() != kInstanceIdSize) return false;
  for (char c : id) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

// What the child may do, decided before the fork.
struct DialerPlan {
  int channel = -1;
  int run_directory = -1;  // -1: loopback
  uint16_t port = 0;
  pid_t parent = 0;
};

// The peer must be the socket that was bound under this very name: an engine that puts a symbolic
// link to another control socket in its place is refused.
bool IsBoundAs(int socket, std::string_view path) {
  sockaddr_un peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return false;
  if (peer.sun_family != AF_UNIX || size <= offsetof(sockaddr_un, sun_path)) return false;
  const size_t longest = size - offsetof(sockaddr_un, sun_path);
  const std::string_view bound(peer.sun_path, ::strnlen(peer.sun_path, longest));
  return bound.ends_with(path) &&
         (bound.size() == path.size() || bound[bound.size() - path.size() - 1] == '/');
}

// The connected descriptor, or -1 with errno.
int ConnectEngine(std::string_view id) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = "engine/" + std::string(id) + "/sock";  // relative: the run directory
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return -1;
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return -1;
  }
  if (!IsBoundAs(fd.get(), path)) {
    errno = EPERM;
    return -1;
  }
  return fd.Release();
}

int ConnectLoopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return -1;
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EINPROGRESS) return -1;
    pollfd wait{fd.get(), POLLOUT, 0};
    if (::poll(&wait, 1, kLoopbackTimeoutMs) != 1) {
      errno = ETIMEDOUT;
      return -1;
    }
    int failure = 0;
    socklen_t size = sizeof failure;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
    if (failure != 0) {
      errno = failure;
      return -1;
    }
  }
  return fd.Release();
}

UniqueFd Connect(const DialerPlan& plan, std::string_view target) {
  errno = EINVAL;
  if (plan.run_directory >= 0) {
    if (!target.starts_with(kEnginePrefix)) return UniqueFd();
    const std::string_view id = target.substr(kEnginePrefix.size());
    return IsInstanceId(id) ? UniqueFd(ConnectEngine(id)) : UniqueFd();
  }
  return target == kAdminTarget ? UniqueFd(ConnectLoopback(plan.port)) : UniqueFd();
}

// Keeps the channel (as descriptor 3) and the working directory, nothing else.
void DropEverything(const DialerPlan& plan) {
  if (plan.run_directory >= 0 ? ::fchdir(plan.run_directory) != 0 : ::chdir("/") != 0) ::_exit(1);
  if (plan.channel != 3 && ::dup2(plan.channel, 3) < 0) ::_exit(1);
  ::syscall(SYS_close_range, 4U, ~0U, 0U);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) {
    if (null >= 0) {
      ::dup2(null, fd);
    } else {
      ::close(fd);
    }
  }
  if (null > 3) ::close(null);
  const rlimit files{kDialerFiles, kDialerFiles};
  ::setrlimit(RLIMIT_NOFILE, &files);
  ::prctl(PR_SET_NAME, "skerry-dialer");
}

[[noreturn]] void RunDialer(const DialerPlan& plan) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(0);  // the proxy ended in between
  // The proxy finishes running requests after SIGTERM and Ctrl-C; its dialer lives as long.
  ::signal(SIGTERM, SIG_IGN);
  ::signal(SIGINT, SIG_IGN);
  DropEverything(plan);
  if (!EnterDialerSandbox(plan.run_directory >= 0 ? AF_UNIX : AF_INET)) ::_exit(1);
  constexpr int kChannel = 3;
  for (;;) {
    const Result<PassedMessage> request = ReceiveMessage(kChannel, kMaxTargetBytes);
    // Every request has an answer, one that is too long for a target as well: order is all the
    // parent has to tell them apart.
    const bool too_long = !request && request.error().code() == ErrorCode::kExhausted;
    if (!request && !too_long) ::_exit(1);
    if (!too_long && request->bytes.empty()) ::_exit(0);
    const UniqueFd fd = Connect(plan, too_long ? std::string_view() : request->bytes);
    const char answer = fd ? '\0' : static_cast<char>(errno);
    const Result<void> sent =
        fd ? SendMessage(kChannel, {&answer, 1}, {fd.get()}) : SendMessage(kChannel, {&answer, 1});
    if (!sent) ::_exit(1);
  }
}

}  // namespace

std::string EngineTarget(std::string_view instance_id) {
  return std::string(kEnginePrefix) + std::string(instance_id);
}

Result<UniqueFd> ForkDialer(const DialerConfig& config) {
  DialerPlan plan;
  UniqueFd run;
  if (config.loopback_port) {
    plan.port = *config.loopback_port;
  } else {
    run.Reset(::open(config.run_directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!run) {
      return ErrnoError("cannot open the run directory '" + config.run_directory + "'", errno);
    }
    plan.run_directory = run.get();
  }
  std::pair<UniqueFd, UniqueFd> channel = TRY(SeqpacketPair());
  plan.channel = channel.second.get();
  plan.parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return ErrnoError("cannot start the dialer", errno);
  if (pid == 0) RunDialer(plan);
  const int flags = ::fcntl(channel.first.get(), F_GETFL);
  if (flags < 0 || ::fcntl(channel.first.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return ErrnoError("cannot set up the dialer's socket", errno);
  }
  return std::move(channel.first);
}

Result<void> SendDial(int dialer, std::string_view target) {
  const Result<void> sent = SendMessage(dialer, target);
  if (!sent) return Error(ErrorCode::kUnavailable, "dialer: " + sent.error().message());
  return {};
}

Result<std::optional<DialAnswer>> ReceiveDial(int dialer) {
  Result<PassedMessage> message = ReceiveMessage(dialer, 1);
  // The answer was there and its descriptor found no room in this process: the dialer lives on.
  if (!message && message.error().code() == ErrorCode::kExhausted) {
    DialAnswer full;
    full.error_number = EMFILE;
    return std::optional<DialAnswer>(std::move(full));
  }
  if (!message && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::optional<DialAnswer>();
  if (!message || message->bytes.empty()) {
    return Error(ErrorCode::kUnavailable, "the dialer has ended");
  }
  DialAnswer answer;
  answer.error_number = static_cast<unsigned char>(message->bytes[0]);
  if (message->fds.size() == 1) answer.socket = std::move(message->fds[0]);
  if (!answer.socket && answer.error_number == 0) answer.error_number = EPROTO;
  return std::optional<DialAnswer>(std::move(answer));
}

}  // namespace skerry::proxy
