#include "proxy/sandbox/sandbox.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string>

namespace skerry::proxy {
namespace {

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

// No program of ours ever tries these: a process that does is not ours any more.
constexpr const char* kDeadly[] = {"acct",
                                   "add_key",
                                   "adjtimex",
                                   "bpf",
                                   "chroot",
                                   "clock_adjtime",
                                   "clock_settime",
                                   "create_module",
                                   "delete_module",
                                   "execve",
                                   "execveat",
                                   "fanotify_init",
                                   "finit_module",
                                   "fsconfig",
                                   "fsmount",
                                   "fsopen",
                                   "fspick",
                                   "init_module",
                                   "ioperm",
                                   "iopl",
                                   "kcmp",
                                   "kexec_file_load",
                                   "kexec_load",
                                   "keyctl",
                                   "lookup_dcookie",
                                   "mknod",
                                   "mknodat",
                                   "modify_ldt",
                                   "mount",
                                   "mount_setattr",
                                   "move_mount",
                                   "name_to_handle_at",
                                   "open_by_handle_at",
                                   "open_tree",
                                   "perf_event_open",
                                   "personality",
                                   "pidfd_getfd",
                                   "pivot_root",
                                   "process_madvise",
                                   "process_vm_readv",
                                   "process_vm_writev",
                                   "ptrace",
                                   "quotactl",
                                   "reboot",
                                   "request_key",
                                   "setdomainname",
                                   "setfsgid",
                                   "setfsuid",
                                   "setgid",
                                   "setgroups",
                                   "sethostname",
                                   "setns",
                                   "setregid",
                                   "setresgid",
                                   "setresuid",
                                   "setreuid",
                                   "settimeofday",
                                   "setuid",
                                   "swapoff",
                                   "swapon",
                                   "umount2",
                                   "unshare",
                                   "userfaultfd",
                                   "vhangup"};

constexpr uint64_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

// Socket options that a server needs. TCP_FASTOPEN_CONNECT, TCP_REPAIR, TCP_ULP, SO_BINDTODEVICE,
// SO_MARK, multicast and filters are not among them.
constexpr int kSocketOptions[] = {SO_KEEPALIVE, SO_LINGER,   SO_PRIORITY, SO_RCVBUF,
                                  SO_RCVLOWAT,  SO_RCVTIMEO, SO_SNDBUF,   SO_SNDTIMEO};
constexpr int kTcpOptions[] = {TCP_CORK,          TCP_DEFER_ACCEPT, TCP_KEEPCNT,
                               TCP_KEEPIDLE,      TCP_KEEPINTVL,    TCP_NODELAY,
                               TCP_NOTSENT_LOWAT, TCP_QUICKACK,     TCP_USER_TIMEOUT};

constexpr int kProcessOptions[] = {PR_GET_DUMPABLE, PR_GET_NAME, PR_GET_NO_NEW_PRIVS,
                                   PR_GET_SECCOMP,  PR_SET_NAME, PR_SET_VMA};

// Numbers up to this one that libseccomp has no name for answer ENOSYS, so that a newer C library
// falls back to the calls it knows from older kernels.
constexpr int kLastCallNumber = 700;

// Rules under construction; the first failure is kept and reported by Load().
class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(EPERM))) {
    if (context_ == nullptr) {
      Fail("seccomp_init", ENOMEM);
      return;
    }
    Attribute(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    Attribute(SCMP_FLTATR_CTL_NNP, 1);
    Attribute(SCMP_FLTATR_CTL_TSYNC, 1);
    Attribute(SCMP_FLTATR_CTL_OPTIMIZE, 2);
  }
  ~Filter() { ::seccomp_release(context_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  // Calls that this architecture or libseccomp does not have are passed over: they are refused
  // anyway.
  void Add(uint32_t action, const char* call, std::initializer_list<scmp_arg_cmp> arguments = {}) {
    const int number = ::seccomp_syscall_resolve_name(call);
    if (error_ != 0 || number < 0) return;
    AddNumber(action, number, call, arguments);
  }

  void AddUnknownNumbers(uint32_t action) {
    for (int number = 0; error_ == 0 && number <= kLastCallNumber; ++number) {
      char* name = ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
      if (name == nullptr) AddNumber(action, number, "a call without a name", {});
      ::free(name);
    }
  }

  Result<void> Load() {
    if (error_ == 0) {
      if (const int rc = ::seccomp_load(context_); rc < 0) Fail("seccomp_load", -rc);
    }
    if (error_ == 0) return {};
    const ErrorCode code =
        error_ == EINVAL || error_ == ENOSYS ? ErrorCode::kUnavailable : ErrorCode::kInternal;
    return Error(
        code, ErrnoError("cannot install the system call filter: " + step_, error_).message() +
                  "; nothing is served without it (the kernel must have CONFIG_SECCOMP_FILTER, and "
                  "the unit or container must allow the call seccomp)");
  }

 private:
  void Attribute(scmp_filter_attr attribute, uint32_t value) {
    if (const int rc = ::seccomp_attr_set(context_, attribute, value); rc < 0) {
      Fail("attribute " + std::to_string(attribute), -rc);
    }
  }
  void AddNumber(uint32_t action, int number, const char* call,
                 std::initializer_list<scmp_arg_cmp> arguments) {
    const int rc = ::seccomp_rule_add_array(
        context_, action, number, static_cast<unsigned>(arguments.size()), arguments.begin());
    if (rc < 0) Fail(std::string("rule for ") + call, -rc);
  }
  void Fail(std::string step, int error) {
    if (error_ != 0) return;
    step_ = std::move(step);
    error_ = error;
  }

  scmp_filter_ctx context_;
  std::string step_;
  int error_ = 0;
};

// `(argument & mask) == value`.
scmp_arg_cmp Masked(unsigned argument, uint64_t mask, uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}
scmp_arg_cmp Equal(unsigned argument, uint64_t value) { return {argument, SCMP_CMP_EQ, value, 0}; }

// The inherited-socket tricks: sends that could open a connection, options that prepare one.
void AddSocketRules(Filter& filter) {
  constexpr uint64_t kFastOpen = MSG_FASTOPEN;
  filter.Add(SCMP_ACT_ALLOW, "sendto", {Masked(3, kFastOpen, 0), Equal(4, 0)});
  filter.Add(SCMP_ACT_ALLOW, "sendmsg", {Masked(2, kFastOpen, 0)});
  for (const int option : kSocketOptions) {
    filter.Add(SCMP_ACT_ALLOW, "setsockopt", {Equal(1, SOL_SOCKET), Equal(2, option)});
  }
  for (const int option : kTcpOptions) {
    filter.Add(SCMP_ACT_ALLOW, "setsockopt", {Equal(1, IPPROTO_TCP), Equal(2, option)});
  }
  for (const uint64_t request : {FIONBIO, FIONREAD, TIOCOUTQ, TCGETS}) {
    filter.Add(SCMP_ACT_ALLOW, "ioctl", {Equal(1, request)});
  }
}

void AddDeadlyRules(Filter& filter) {
  for (const char* call : kDeadly) filter.Add(SCMP_ACT_KILL_PROCESS, call);
  filter.AddUnknownNumbers(SCMP_ACT_ERRNO(ENOSYS));
}

void AddProcessRules(Filter& filter) {
  // Threads, never processes or namespaces. clone3 hides its flags behind a pointer; the C library
  // falls back to clone when it seems not to exist.
  constexpr uint64_t kThread = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND;
  filter.Add(SCMP_ACT_ALLOW, "clone", {Masked(0, kThread | kNamespaceFlags, kThread)});
  filter.Add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
  // Signals to its own threads (abort), by the process id of now: it can never change.
  filter.Add(SCMP_ACT_ALLOW, "tgkill", {Equal(0, static_cast<uint64_t>(::getpid()))});
  for (const int option : kProcessOptions) {
    filter.Add(SCMP_ACT_ALLOW, "prctl", {Equal(0, option)});
  }
  filter.Add(SCMP_ACT_ALLOW, "prlimit64", {Equal(2, 0)});  // reading a limit
}

// Memory may become writable or executable, not both.
void AddMemoryRules(Filter& filter) {
  filter.Add(SCMP_ACT_ALLOW, "mmap", {Masked(2, PROT_EXEC, 0)});
  filter.Add(SCMP_ACT_ALLOW, "mmap", {Masked(2, PROT_WRITE, 0)});
  filter.Add(SCMP_ACT_ALLOW, "mprotect", {Masked(2, PROT_EXEC, 0)});
}

}  // namespace

bool InSandbox() {
  // Asking whether some filter is there would not do: systemd installs one of its own.
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) ::close(fd);
  return fd < 0 && errno == EPERM;
}

Result<void> EnterSandbox() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return ErrnoError("cannot forbid core dumps", errno);
  Filter filter;
  for (const char* call : kAllowed) filter.Add(SCMP_ACT_ALLOW, call);
  AddDeadlyRules(filter);
  AddSocketRules(filter);
  AddProcessRules(filter);
  AddMemoryRules(filter);
  TRY(filter.Load());
  // A filter that was accepted but does not filter (an emulated kernel) must not go unnoticed.
  if (InSandbox()) return {};
  return Error(ErrorCode::kInternal,
               "the system call filter was installed but refuses nothing; nothing is served");
}

Result<void> EnterDialerSandbox(int family) {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return ErrnoError("cannot forbid core dumps", errno);
  Filter filter;
  for (const char* call : kDialerAllowed) filter.Add(SCMP_ACT_ALLOW, call);
  AddDeadlyRules(filter);
  constexpr uint64_t kTypeMask = 0xf;  // without SOCK_NONBLOCK and SOCK_CLOEXEC
  filter.Add(SCMP_ACT_ALLOW, "socket",
             {Equal(0, static_cast<uint64_t>(family)), Masked(1, kTypeMask, SOCK_STREAM)});
  filter.Add(SCMP_ACT_ALLOW, "sendmsg", {Masked(2, MSG_FASTOPEN, 0)});
  filter.Add(SCMP_ACT_ALLOW, "tgkill", {Equal(0, static_cast<uint64_t>(::getpid()))});
  AddMemoryRules(filter);
  return filter.Load();
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
