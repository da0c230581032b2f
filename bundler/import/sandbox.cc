#include "bundler/import/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "appliance/base/unique_fd.h"
#include "appliance/seccomp/filter.h"

namespace skerry::import {

namespace {

using seccomp::Equal;
using seccomp::Masked;

// A message of volumes, and the files of three windows of chunks.
constexpr rlim_t kMaxDescriptors = 512;
constexpr uint64_t kFinishedMode = 0444;
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
    "renameat", "renameat2", "statfs", "statx", "sync_file_range", "unlinkat", "write", "writev",
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

// Nothing here ever tries these either: a process that does runs what came from the medium.
constexpr const char* kDeadly[] = {"io_uring_enter", "io_uring_register", "io_uring_setup"};

// F_SETOWN and O_ASYNC would send signals to other processes, so not every fcntl.
constexpr int kDescriptorCommands[] = {F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFD};

void AllowFiles(seccomp::Filter& filter) {
  // Never truncating: also where the kernel has no Landlock.
  filter.Allow("openat", {Masked(2, O_TRUNC, 0)});
  for (const int command : kDescriptorCommands) {
    filter.Allow("fcntl", {Equal(1, command)});
  }
  // Finished files lose the right to be written; nothing gains one.
  filter.Allow("fchmod", {Equal(1, kFinishedMode)});
  filter.Allow("sendto", {Masked(3, MSG_FASTOPEN, 0), Equal(4, 0)});
}

Result<void> RestrictCalls() {
  seccomp::Filter filter;
  filter.Allow(kAllowed);
  for (const char* call : kDeadly) filter.Kill(call);
  filter.RefuseTheRest();
  filter.AllowThreads();
  AllowFiles(filter);
  filter.AllowMemory();
  if (const Result<void> loaded = filter.Load(); !loaded) {
    return Error(loaded.error().code(),
                 "cannot install the sandbox's call filter: " + loaded.error().message() +
                     " (the kernel must have CONFIG_SECCOMP_FILTER); nothing was imported");
  }
  // A filter that was accepted but does not filter (an emulated kernel) must not go unnoticed.
  if (seccomp::RefusesSockets()) return {};
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
