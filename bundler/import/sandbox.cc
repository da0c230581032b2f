#include "bundler/import/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "appliance/base/unique_fd.h"

namespace skerry::import {

namespace {

constexpr rlim_t kMaxDescriptors = 256;
// From ABI 2 on a file may be moved between directories, which publishing needs.
constexpr int kLeastLandlockAbi = 2;
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
  attributes.handled_access_fs = kHandled;
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

struct FreeFilter {
  void operator()(void* filter) const { ::seccomp_release(filter); }
};

Result<void> RestrictCalls() {
  // The C library resolves what this architecture has; absent calls are passed over below.
  constexpr const char* kDenied[] = {"socket",
                                     "connect",
                                     "bind",
                                     "listen",
                                     "accept",
                                     "accept4",
                                     "execve",
                                     "execveat",
                                     "fork",
                                     "vfork",
                                     "ptrace",
                                     "process_vm_readv",
                                     "process_vm_writev",
                                     "kill",
                                     "mount",
                                     "umount2",
                                     "move_mount",
                                     "fsopen",
                                     "open_tree",
                                     "pivot_root",
                                     "chroot",
                                     "unshare",
                                     "setns",
                                     "bpf",
                                     "perf_event_open",
                                     "io_uring_setup",
                                     "io_uring_enter",
                                     "io_uring_register",
                                     "open_by_handle_at",
                                     "keyctl",
                                     "add_key",
                                     "request_key",
                                     "userfaultfd",
                                     "init_module",
                                     "finit_module",
                                     "delete_module",
                                     "kexec_load",
                                     "kexec_file_load",
                                     "reboot",
                                     "swapon",
                                     "swapoff",
                                     "personality",
                                     "setuid",
                                     "setgid",
                                     "setresuid",
                                     "setresgid",
                                     "chown",
                                     "fchown",
                                     "fchownat",
                                     "lchown",
                                     "mknod",
                                     "mknodat",
                                     "symlink",
                                     "symlinkat",
                                     "link",
                                     "linkat",
                                     "settimeofday",
                                     "clock_settime",
                                     "acct",
                                     "quotactl"};
  const std::unique_ptr<void, FreeFilter> filter(::seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) return Error(ErrorCode::kInternal, "cannot make the sandbox's call filter");
  for (const char* name : kDenied) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR || number < 0) continue;
    const int status = ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), number, 0);
    if (status != 0) return ErrnoError("cannot deny '" + std::string(name) + "'", -status);
  }
  const int status = ::seccomp_load(filter.get());
  if (status != 0) return ErrnoError("cannot load the sandbox's call filter", -status);
  return {};
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
