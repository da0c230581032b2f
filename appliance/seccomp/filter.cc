#include "appliance/seccomp/filter.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "appliance/base/unique_fd.h"

namespace skerry::seccomp {

namespace {

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

constexpr int kProcessOptions[] = {PR_GET_DUMPABLE, PR_GET_NAME, PR_SET_NAME, PR_SET_VMA};

// Numbers up to this one that libseccomp has no name for answer ENOSYS.
constexpr int kLastCallNumber = 700;

}  // namespace

Filter::Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(EPERM))) {
  if (context_ == nullptr) {
    Check("seccomp_init", -ENOMEM);
    return;
  }
  Check("architecture",
        ::seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
  Check("privileges", ::seccomp_attr_set(context_, SCMP_FLTATR_CTL_NNP, 1));
  Check("threads", ::seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1));
  Check("order", ::seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2));
}

Filter::~Filter() { ::seccomp_release(context_); }

void Filter::Allow(const char* call, std::initializer_list<Condition> conditions) {
  Add(SCMP_ACT_ALLOW, call, conditions);
}

void Filter::Allow(std::span<const char* const> calls) {
  for (const char* call : calls) Allow(call);
}

void Filter::Kill(const char* call) { Add(SCMP_ACT_KILL_PROCESS, call, {}); }

void Filter::AllowThreads() {
  // clone3 hides its flags behind a pointer; the C library falls back to clone when it seems not to
  // exist.
  constexpr uint64_t kThread = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND;
  Allow("clone", {Masked(0, kThread | kNamespaceFlags, kThread)});
  Add(SCMP_ACT_ERRNO(ENOSYS), "clone3", {});
  AllowOwnSignals();
  for (const int option : kProcessOptions) {
    Allow("prctl", {Equal(0, static_cast<uint64_t>(option))});
  }
  Allow("prlimit64", {Equal(2, 0)});  // reading a limit
}

void Filter::AllowOwnSignals() {
  // By the process id of now: it can never change.
  Allow("tgkill", {Equal(0, static_cast<uint64_t>(::getpid()))});
}

void Filter::AllowMemory() {
  Allow("mmap", {Masked(2, PROT_EXEC, 0)});
  Allow("mmap", {Masked(2, PROT_WRITE, 0)});
  Allow("mprotect", {Masked(2, PROT_EXEC, 0)});
}

void Filter::RefuseTheRest() {
  for (const char* call : kDeadly) Kill(call);
  for (int number = 0; number <= kLastCallNumber; ++number) {
    char* name = ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    if (name == nullptr) AddNumber(SCMP_ACT_ERRNO(ENOSYS), number, "a call without a name", {});
    ::free(name);
  }
}

Result<void> Filter::Load() {
  if (error_ == 0) Check("loading", ::seccomp_load(context_));
  if (error_ == 0) return {};
  const ErrorCode code =
      error_ == EINVAL || error_ == ENOSYS ? ErrorCode::kUnavailable : ErrorCode::kInternal;
  return Error(code, ErrnoError(step_, error_).message());
}

void Filter::Add(uint32_t action, const char* call, std::initializer_list<Condition> conditions) {
  const int number = ::seccomp_syscall_resolve_name(call);
  if (number >= 0) AddNumber(action, number, call, conditions);
}

void Filter::AddNumber(uint32_t action, int number, const char* call,
                       std::initializer_list<Condition> conditions) {
  if (error_ != 0) return;
  std::vector<scmp_arg_cmp> arguments;
  for (const Condition& condition : conditions) {
    const bool whole = condition.mask == ~uint64_t{0};
    arguments.push_back(whole ? scmp_arg_cmp{condition.argument, SCMP_CMP_EQ, condition.value, 0}
                              : scmp_arg_cmp{condition.argument, SCMP_CMP_MASKED_EQ, condition.mask,
                                             condition.value});
  }
  Check(std::string("rule for ") + call,
        ::seccomp_rule_add_array(context_, action, number, static_cast<unsigned>(arguments.size()),
                                 arguments.data()));
}

void Filter::Check(const std::string& step, int status) {
  if (status >= 0 || error_ != 0) return;
  step_ = step;
  error_ = -status;
}

bool RefusesSockets() {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return !socket && errno == EPERM;
}

}  // namespace skerry::seccomp
