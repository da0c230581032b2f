#include "appliance/cli/services.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "appliance/base/clock.h"

namespace skerry::cli {

namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr int64_t kRestartWindowNs = 60 * kNanosPerSecond;
constexpr size_t kMaxRestarts = 5;
constexpr int kRestartTimeoutMs = 30'000;
constexpr useconds_t kRestartPauseUs = 500'000;

// The sender's pid of one notification that says READY=1; 0 for any other datagram.
pid_t ReadReadyPid(int notify) {
  char text[4096];
  iovec data{text, sizeof text};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(notify, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got <= 0) return 0;
  const std::string_view state(text, static_cast<size_t>(got));
  if (("\n" + std::string(state) + "\n").find("\nREADY=1\n") == std::string::npos) return 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials;
      std::memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
      return credentials.pid;
    }
  }
  return 0;
}

}  // namespace

Result<std::unique_ptr<Services>> Services::Create(const std::string& notify_path) {
  UniqueFd notify(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!notify) return ErrnoError("cannot make a socket", errno);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (notify_path.size() >= sizeof address.sun_path) {
    return Error(ErrorCode::kInvalidArgument,
                 "'" + notify_path + "' is too long for a socket: use a shorter --data path");
  }
  std::memcpy(address.sun_path, notify_path.data(), notify_path.size());
  ::unlink(notify_path.c_str());
  const int on = 1;
  if (::bind(notify.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::setsockopt(notify.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    return ErrnoError("cannot listen on '" + notify_path + "'", errno);
  }
  return std::unique_ptr<Services>(new Services(std::move(notify), notify_path));
}

Services::~Services() {
  StopAll(0);
  ::unlink(notify_path_.c_str());
}

Result<void> Services::Start(ServiceSpec spec, int timeout_ms) {
  Running service;
  service.spec = std::move(spec);
  TRY(Launch(service, timeout_ms));
  services_.push_back(std::move(service));
  return {};
}

Result<void> Services::Launch(Running& service, int timeout_ms) {
  SpawnOptions options = TRY(service.spec.options());
  options.extra_environment.push_back("NOTIFY_SOCKET=" + notify_path_);
  service.pid = TRY(Spawn(options).WithContext(service.spec.name));
  service.pidfd.Reset(static_cast<int>(::syscall(SYS_pidfd_open, service.pid, 0)));
  Result<void> ready = AwaitReady(service, timeout_ms);
  if (!ready && service.pid > 0) {
    (void)StopProcess(service.pid, 2'000);
    service.pid = -1;
  }
  return ready;
}

Result<void> Services::AwaitReady(const Running& service, int timeout_ms) {
  const int64_t deadline = RealClock().MonotonicNanos() + timeout_ms * int64_t{1'000'000};
  for (;;) {
    const int64_t left_ms = (deadline - RealClock().MonotonicNanos()) / 1'000'000;
    if (left_ms <= 0) {
      return Error(ErrorCode::kUnavailable, service.spec.name + " was not ready within " +
                                                std::to_string(timeout_ms) + " ms");
    }
    pollfd waits[] = {{notify_.get(), POLLIN, 0}, {service.pidfd.get(), POLLIN, 0}};
    if (::poll(waits, 2, static_cast<int>(left_ms)) < 0 && errno != EINTR) {
      return ErrnoError("cannot wait for " + service.spec.name, errno);
    }
    if ((waits[0].revents & POLLIN) != 0 && ReadReadyPid(notify_.get()) == service.pid) return {};
    if ((waits[1].revents & POLLIN) != 0) {
      return Error(ErrorCode::kUnavailable,
                   service.spec.name + " ended before it was ready (its message stands above)");
    }
  }
}

std::vector<int> Services::ExitFds() const {
  std::vector<int> fds;
  for (const Running& service : services_) fds.push_back(service.pidfd.get());
  return fds;
}

Result<void> Services::RestartEnded(const std::function<void(const std::string&)>& report) {
  for (Running& service : services_) {
    const std::optional<ExitState> state = TRY(WaitForExit(service.pid, 0));
    if (!state) continue;
    const int64_t now = RealClock().MonotonicNanos();
    std::erase_if(service.ends_ns, [&](int64_t end) { return end < now - kRestartWindowNs; });
    service.ends_ns.push_back(now);
    service.pid = -1;
    report(service.spec.name + " ended (" + state->Describe() + "), starting it again");
    if (service.ends_ns.size() >= kMaxRestarts) {
      return Error(ErrorCode::kUnavailable, service.spec.name + " keeps ending");
    }
    ::usleep(kRestartPauseUs);
    TRY(Launch(service, kRestartTimeoutMs));
  }
  return {};
}

void Services::StopAll(int grace_ms) {
  while (!services_.empty()) {
    if (services_.back().pid > 0) (void)StopProcess(services_.back().pid, grace_ms);
    services_.pop_back();
  }
}

}  // namespace skerry::cli
