#include "bundler/import/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>

#include "appliance/base/unique_fd.h"

namespace skerry::import {

namespace {

constexpr rlim_t kMaxDescriptors = 256;
// From ABI 2 on a file may be moved between directories, which publishing needs.
constexpr int kLeastLandlockAbi = 2;
// From ABI 3 on; the headers of Debian 12 may be older. Handled and never granted: an import writes
// new files only.
constexpr int kTruncateLandlockAbi = 3;
constexpr uint64_t kLandlockTruncate = 1ULL << 14;
constexpr uint64_t kAccess = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                             LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                             LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                             LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER;
constexpr uint64_t kHandled = kAccess | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                              LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                              LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

Result<void> AllowBelow(int ruleset, const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return ErrnoError("cannot open '" + path + "'", errno);
  landlock_path_beneath_attr rule{};
  rule.allowed_access = kAccess;
  rule.parent_fd = fd.get();
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return ErrnoError("cannot allow '" + path + "' in the sandbox", errno);
  }
  return {};
}

Result<void> RestrictFiles(const std::string& data_directory) {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < kLeastLandlockAbi)
    return {};  // a kernel without it: seccomp and the unit's sandbox remain
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = kHandled | (abi >= kTruncateLandlockAbi ? kLandlockTruncate : 0);
  const UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!ruleset) return ErrnoError("cannot make the sandbox's file rules", errno);
  TRY(AllowBelow(ruleset.get(), data_directory + "/staging"));
  TRY(AllowBelow(ruleset.get(), data_directory + "/store"));
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return ErrnoError("cannot enter the sandbox's file rules", errno);
  }
  return {};
}

// Allowed whatever the arguments; whatever is neither here nor below fails with EPERM.
constexpr const char* kAllowed[] = {
    // The connection; sending follows below.
    "recvfrom", "recvmsg",
    // Files. Opening follows below; which ones exist is Landlock's business.
    "close", "fadvise64", "fallocate", "fdatasync", "flock", "fstat", "fstatfs", "fsync",
    "getdents64", "lseek", "mkdirat", "newfstatat", "pread64", "pwrite64", "read", "readv",
    "renameat", "renameat2", "statfs", "statx", "unlinkat", "write", "writev",
    // The undefined-behaviour sanitizer asks through a pipe whether memory can be read.
    "pipe", "pipe2",
    // Memory; mmap and mprotect follow below.
    "brk", "madvise", "membarrier", "mremap", "munmap",
    // Threads; clone follows below.
    "exit", "exit_group", "futex", "futex_waitv", "get_robust_list", "getcpu", "gettid", "rseq",
    "sched_getaffinity", "sched_yield", "set_robust_list",
    // Signals to itself; tgkill follows below.
    "restart_syscall", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
    // Waiting, clocks and facts.
    "clock_getres", "clock_gettime", "clock_nanosleep", "getpid", "getppid", "getrandom",
    "getrlimit", "getrusage", "gettimeofday", "nanosleep", "poll", "ppoll", "sysinfo", "time",
    "uname"};

// Nothing here ever tries these: a process that does runs what came from the medium.
constexpr const char* kDeadly[] = {"acct",
                                   "add_key",
                                   "bpf",
                                   "chroot",
                                   "clock_adjtime",
                                   "clock_settime",
                                   "delete_module",
                                   "execve",
                                   "execveat",
                                   "finit_module",
                                   "fsconfig",
                                   "fsmount",
                                   "fsopen",
                                   "fspick",
                                   "init_module",
                                   "io_uring_enter",
                                   "io_uring_register",
                                   "io_uring_setup",
                                   "ioperm",
                                   "iopl",
                                   "kcmp",
                                   "kexec_file_load",
                                   "kexec_load",
                                   "keyctl",
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
                                   "setns",
                                   "settimeofday",
                                   "swapoff",
                                   "swapon",
                                   "umount2",
                                   "unshare",
                                   "userfaultfd"};

constexpr uint64_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

// F_SETOWN and O_ASYNC would send signals to other processes, so not every fcntl.
constexpr int kDescriptorCommands[] = {F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFD};

constexpr int kProcessOptions[] = {PR_GET_DUMPABLE, PR_GET_NAME, PR_SET_NAME, PR_SET_VMA};

// Numbers up to this one that libseccomp has no name for answer ENOSYS, so that a newer C library
// falls back to older calls.
constexpr int kLastCallNumber = 700;

// Rules under construction; the first failure is kept and reported by Load().
class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(EPERM))) {
    if (context_ == nullptr) {
      Check("seccomp_init", -ENOMEM);
      return;
    }
    Check("architecture",
          ::seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
    Check("threads", ::seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1));
    Check("order", ::seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2));
  }
  ~Filter() { ::seccomp_release(context_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  // Calls that this architecture or libseccomp does not have are passed over: they are refused
  // anyway.
  void Add(uint32_t action, const char* call, std::initializer_list<scmp_arg_cmp> arguments = {}) {
    const int number = ::seccomp_syscall_resolve_name(call);
    if (number >= 0) AddNumber(action, number, call, arguments);
  }
  void AddUnknownNumbers(uint32_t action) {
    for (int number = 0; number <= kLastCallNumber; ++number) {
      char* name = ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
      if (name == nullptr) AddNumber(action, number, "a call without a name", {});
      ::free(name);
    }
  }

  Result<void> Load() {
    if (error_ == 0) Check("loading", ::seccomp_load(context_));
    if (error_ == 0) return {};
    return ErrnoError("cannot install the sandbox's call filter (" + step_ +
                          "; the kernel must have CONFIG_SECCOMP_FILTER); nothing was imported",
                      error_);
  }

 private:
  void AddNumber(uint32_t action, int number, const char* call,
                 std::initializer_list<scmp_arg_cmp> arguments) {
    if (error_ != 0) return;
    Check(call,
          ::seccomp_rule_add_array(context_, action, number,
                                   static_cast<unsigned>(arguments.size()), arguments.begin()));
  }
  void Check(const char* step, int status) {
    if (status >= 0 || error_ != 0) return;
    step_ = step;
    error_ = -status;
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

void AddFileRules(Filter& filter) {
  // Never truncating: also where the kernel has no Landlock.
  filter.Add(SCMP_ACT_ALLOW, "openat", {Masked(2, O_TRUNC, 0)});
  for (const int command : kDescriptorCommands) {
    filter.Add(SCMP_ACT_ALLOW, "fcntl", {Equal(1, command)});
  }
  filter.Add(SCMP_ACT_ALLOW, "sendto", {Masked(3, MSG_FASTOPEN, 0), Equal(4, 0)});
  // Memory may become writable or executable, not both.
  filter.Add(SCMP_ACT_ALLOW, "mmap", {Masked(2, PROT_EXEC, 0)});
  filter.Add(SCMP_ACT_ALLOW, "mmap", {Masked(2, PROT_WRITE, 0)});
  filter.Add(SCMP_ACT_ALLOW, "mprotect", {Masked(2, PROT_EXEC, 0)});
}

Result<void> RestrictCalls() {
  Filter filter;
  for (const char* call : kAllowed) filter.Add(SCMP_ACT_ALLOW, call);
  for (const char* call : kDeadly) filter.Add(SCMP_ACT_KILL_PROCESS, call);
  AddProcessRules(filter);
  AddFileRules(filter);
  filter.AddUnknownNumbers(SCMP_ACT_ERRNO(ENOSYS));
  TRY(filter.Load());
  // A filter that was accepted but does not filter (an emulated kernel) must not go unnoticed.
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket && errno == EPERM) return {};
  return Error(ErrorCode::kInternal,
               "the sandbox's call filter was installed but refuses nothing; nothing was imported");
}

Result<void> Limit(__rlimit_resource_t resource, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return ErrnoError("cannot read a limit", errno);
  limit.rlim_cur = limit.rlim_max = std::min(value, limit.rlim_max);
  if (::setrlimit(resource, &limit) != 0) return ErrnoError("cannot set a limit", errno);
  return {};
}

}  // namespace

Result<void> DropInherited() {
  if (::syscall(SYS_close_range, 3U, ~0U, 0) != 0) {
    return ErrnoError("cannot close inherited files", errno);
  }
  TRY(Limit(RLIMIT_CORE, 0));
  return Limit(RLIMIT_NOFILE, kMaxDescriptors);
}

Result<void> EnterSandbox(const std::string& data_directory) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return ErrnoError("cannot give up privileges", errno);
  }
  TRY(RestrictFiles(data_directory));
  return RestrictCalls();
}

}  // namespace skerry::import
