#include "proxy/sandbox/sandbox.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include "appliance/seccomp/filter.h"

namespace skerry::proxy {
namespace {

using seccomp::Equal;
using seccomp::Masked;

// Allowed whatever the arguments.
constexpr const char* kAllowed[] = {
    // Sockets at hand.
    "accept", "accept4", "getpeername", "getsockname", "getsockopt", "recvfrom", "recvmmsg",
    "recvmsg", "shutdown",
    // Reading, writing, waiting.
    "close", "close_range", "dup", "dup2", "dup3", "epoll_create", "epoll_create1", "epoll_ctl",
    "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "fcntl", "pipe", "pipe2",
    "poll", "ppoll", "pread64", "preadv", "preadv2", "pselect6", "pwrite64", "pwritev", "pwritev2",
    "read", "readv", "select", "sendfile", "splice", "timerfd_create", "timerfd_gettime",
    "timerfd_settime", "write", "writev",
    // Files: policy, journal, certificates. Which ones exist is the unit's business.
    "access", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchmod", "fdatasync", "flock",
    "fstat", "fstatfs", "fsync", "ftruncate", "getcwd", "getdents64", "lseek", "lstat", "mkdir",
    "mkdirat", "newfstatat", "open", "openat", "openat2", "readlink", "readlinkat", "rename",
    "renameat", "renameat2", "rmdir", "stat", "statfs", "statx", "sync_file_range", "umask",
    "unlink", "unlinkat",
    // Memory; mmap and mprotect follow below.
    "brk", "madvise", "membarrier", "mincore", "mlock", "mlock2", "mremap", "msync", "munlock",
    "munmap",
    // Threads; clone follows below.
    "exit", "exit_group", "futex", "futex_waitv", "get_robust_list", "getcpu", "gettid", "rseq",
    "sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_yield", "set_robust_list",
    // Signals to itself; tgkill follows below.
    "pause", "restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn",
    "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack", "signalfd4", "wait4", "waitid",
    // Clocks and facts.
    "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getegid", "geteuid", "getgid",
    "getgroups", "getitimer", "getpgrp", "getpid", "getppid", "getrandom", "getresgid", "getresuid",
    "getrlimit", "getrusage", "getsid", "gettimeofday", "getuid", "nanosleep", "setitimer",
    "sysinfo", "time", "times", "uname"};

// All that the dialer needs besides socket() of one family and sendmsg().
constexpr const char* kDialerAllowed[] = {"brk",          "clock_gettime",  "close",
                                          "connect",      "exit",           "exit_group",
                                          "fcntl",        "futex",          "getpeername",
                                          "getpid",       "getsockopt",     "gettid",
                                          "madvise",      "mremap",         "munmap",
                                          "poll",         "ppoll",          "read",
                                          "recvfrom",     "recvmsg",        "restart_syscall",
                                          "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
                                          "sigaltstack",  "write"};

// Socket options that a server needs. TCP_FASTOPEN_CONNECT, TCP_REPAIR, TCP_ULP, SO_BINDTODEVICE,
// SO_MARK, multicast and filters are not among them.
constexpr int kSocketOptions[] = {SO_KEEPALIVE, SO_LINGER,   SO_PRIORITY, SO_RCVBUF,
                                  SO_RCVLOWAT,  SO_RCVTIMEO, SO_SNDBUF,   SO_SNDTIMEO};
constexpr int kTcpOptions[] = {TCP_CORK,          TCP_DEFER_ACCEPT, TCP_KEEPCNT,
                               TCP_KEEPIDLE,      TCP_KEEPINTVL,    TCP_NODELAY,
                               TCP_NOTSENT_LOWAT, TCP_QUICKACK,     TCP_USER_TIMEOUT};

constexpr int kProcessOptions[] = {PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP};

// The inherited-socket tricks: sends that could open a connection, options that prepare one.
void AllowSockets(seccomp::Filter& filter) {
  constexpr uint64_t kFastOpen = MSG_FASTOPEN;
  filter.Allow("sendto", {Masked(3, kFastOpen, 0), Equal(4, 0)});
  filter.Allow("sendmsg", {Masked(2, kFastOpen, 0)});
  for (const int option : kSocketOptions) {
    filter.Allow("setsockopt", {Equal(1, SOL_SOCKET), Equal(2, option)});
  }
  for (const int option : kTcpOptions) {
    filter.Allow("setsockopt", {Equal(1, IPPROTO_TCP), Equal(2, option)});
  }
  for (const uint64_t request : {FIONBIO, FIONREAD, TIOCOUTQ, TCGETS}) {
    filter.Allow("ioctl", {Equal(1, request)});
  }
}

Result<void> Load(seccomp::Filter& filter) {
  const Result<void> loaded = filter.Load();
  if (loaded) return {};
  return Error(loaded.error().code(),
               "cannot install the system call filter: " + loaded.error().message() +
                   "; nothing is served without it (the kernel must have CONFIG_SECCOMP_FILTER, "
                   "and the unit or container must allow the call seccomp)");
}

}  // namespace

bool InSandbox() { return seccomp::RefusesSockets(); }

Result<void> EnterSandbox() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return ErrnoError("cannot forbid core dumps", errno);
  seccomp::Filter filter;
  filter.Allow(kAllowed);
  filter.RefuseTheRest();
  AllowSockets(filter);
  filter.AllowThreads();
  for (const int option : kProcessOptions) {
    filter.Allow("prctl", {Equal(0, static_cast<uint64_t>(option))});
  }
  filter.AllowMemory();
  TRY(Load(filter));
  // A filter that was accepted but does not filter (an emulated kernel) must not go unnoticed.
  if (InSandbox()) return {};
  return Error(ErrorCode::kInternal,
               "the system call filter was installed but refuses nothing; nothing is served");
}

Result<void> EnterDialerSandbox(int family) {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return ErrnoError("cannot forbid core dumps", errno);
  seccomp::Filter filter;
  filter.Allow(kDialerAllowed);
  filter.RefuseTheRest();
  constexpr uint64_t kTypeMask = 0xf;  // without SOCK_NONBLOCK and SOCK_CLOEXEC
  filter.Allow("socket",
               {Equal(0, static_cast<uint64_t>(family)), Masked(1, kTypeMask, SOCK_STREAM)});
  filter.Allow("sendmsg", {Masked(2, MSG_FASTOPEN, 0)});
  filter.AllowOwnSignals();
  filter.AllowMemory();
  return Load(filter);
}

}  // namespace skerry::proxy

#if defined(__has_feature)
#define SKERRY_ADDRESS_SANITIZER __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SKERRY_ADDRESS_SANITIZER 1
#else
#define SKERRY_ADDRESS_SANITIZER 0
#endif
#if SKERRY_ADDRESS_SANITIZER
// The leak check at exit stops the other threads by ptrace, which the filter answers with death.
extern "C" int __lsan_is_turned_off() { return skerry::proxy::InSandbox() ? 1 : 0; }
#endif
