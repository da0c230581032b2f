#include "appliance/seccomp/filter.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <string>
#include <thread>

#include "appliance/base/process.h"

namespace skerry::seccomp {
namespace {

// The undefined-behaviour sanitizer asks through a pipe whether memory can be read.
constexpr const char* kAllowed[] = {"pipe",
                                    "pipe2",
                                    "read",
                                    "close",
                                    "exit",
                                    "exit_group",
                                    "futex",
                                    "getpid",
                                    "gettid",
                                    "munmap",
                                    "rt_sigaction",
                                    "madvise",
                                    "rt_sigprocmask",
                                    "rseq",
                                    "set_robust_list",
                                    "sched_getaffinity",
                                    "sigaltstack",
                                    "no_such_call_anywhere",
                                    "write",
                                    "clock_gettime",
                                    "rt_sigreturn"};

// The state in which a child ends that runs `body` behind such a filter; 99: not installed.
ExitState Filtered(
    const std::function<int()>& body, const std::function<void(Filter&)>& more = [](Filter&) {}) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    Filter filter;
    filter.Allow(kAllowed);
    filter.RefuseTheRest();
    filter.AllowThreads();
    filter.AllowMemory();
    more(filter);
    ::_exit(filter.Load() ? body() : 99);
  }
  return WaitForExit(pid).value().value();
}

// errno of a failed call, 0 of one that succeeded.
int Outcome(long status) { return status < 0 ? errno : 0; }

int Code(
    const std::function<int()>& body, const std::function<void(Filter&)>& more = [](Filter&) {}) {
  const ExitState state = Filtered(body, more);
  EXPECT_FALSE(state.signalled) << state.Describe();
  return state.signalled ? -1 : state.code;
}

TEST(FilterTest, WhatIsNotListedIsRefused) {
  EXPECT_EQ(Code([] { return Outcome(::open("/", O_RDONLY)); }), EPERM);
  EXPECT_EQ(Code([] { return Outcome(::kill(::getpid(), 0)); }), EPERM);
  EXPECT_EQ(Code([] { return Outcome(::syscall(SYS_io_uring_setup, 1, nullptr)); }), EPERM);
  EXPECT_EQ(Code([] { return RefusesSockets() ? 0 : 1; }), 0);
  EXPECT_FALSE(RefusesSockets());
}

TEST(FilterTest, ConditionsAreCompared) {
  const auto some_sockets = [](Filter& filter) {
    filter.Allow("socket", {Equal(0, AF_UNIX), Masked(1, 0xf, SOCK_STREAM)});
    filter.Allow("socket", {Equal(0, AF_INET), Equal(1, SOCK_DGRAM)});
  };
  const auto socket = [&](int family, int type) {
    return Code([=] { return Outcome(::socket(family, type, 0)); }, some_sockets);
  };
  EXPECT_EQ(socket(AF_UNIX, SOCK_STREAM), 0);
  EXPECT_EQ(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC), 0);
  EXPECT_EQ(socket(AF_UNIX, SOCK_DGRAM), EPERM);
  EXPECT_EQ(socket(AF_INET, SOCK_DGRAM), 0);
  EXPECT_EQ(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC), EPERM);
  EXPECT_EQ(socket(AF_INET6, SOCK_DGRAM), EPERM);
}

TEST(FilterTest, ThreadsButNoProcessesAndNoSignalsToOthers) {
  EXPECT_EQ(Code([] {
              bool ran = false;
              std::thread([&] { ran = true; }).join();
              return ran ? 0 : 1;
            }),
            0);
  EXPECT_EQ(Code([] { return Outcome(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }), EPERM);
  EXPECT_EQ(Code([] {
              const long flags = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_NEWNET;
              return Outcome(::syscall(SYS_clone, flags, 0, 0, 0, 0));
            }),
            EPERM);
  EXPECT_EQ(Code([] { return Outcome(::syscall(SYS_clone3, nullptr, 0)); }), ENOSYS);
  EXPECT_EQ(Code([] { return Outcome(::syscall(SYS_tgkill, ::getpid(), ::gettid(), 0)); }), 0);
  const pid_t other = ::getpid();
  EXPECT_EQ(Code([=] { return Outcome(::syscall(SYS_tgkill, other, other, 0)); }), EPERM);
  EXPECT_EQ(Code([] { return Outcome(::prctl(PR_SET_NAME, "x")); }), 0);
  EXPECT_EQ(Code([] { return Outcome(::prctl(PR_SET_DUMPABLE, 1)); }), EPERM);
  EXPECT_EQ(Code([] {
              rlimit limit{};
              if (::prlimit(0, RLIMIT_NOFILE, nullptr, &limit) != 0) return 1;
              return Outcome(::prlimit(0, RLIMIT_NOFILE, &limit, nullptr));
            }),
            EPERM);
}

TEST(FilterTest, MemoryIsWritableOrExecutable) {
  const auto map = [](int protection) {
    return Code([=] {
      void* at = ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      return at == MAP_FAILED ? errno : 0;
    });
  };
  EXPECT_EQ(map(PROT_READ | PROT_WRITE), 0);
  EXPECT_EQ(map(PROT_READ | PROT_EXEC), 0);
  EXPECT_EQ(map(PROT_WRITE | PROT_EXEC), EPERM);
  EXPECT_EQ(Code([] {
              void* at = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return Outcome(::mprotect(at, 4096, PROT_READ | PROT_EXEC));
            }),
            EPERM);
}

TEST(FilterTest, WhatNoProgramTriesEndsTheProcess) {
  const std::function<int()> calls[] = {
      [] { return Outcome(::execl("/bin/true", "true", nullptr)); },
      [] { return Outcome(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); },
      [] { return Outcome(::syscall(SYS_setuid, 0)); },
      [] { return Outcome(::unshare(CLONE_NEWUSER)); }};
  for (const auto& call : calls) {
    const ExitState state = Filtered(call);
    EXPECT_TRUE(state.signalled && state.code == SIGSYS) << state.Describe();
  }
  const ExitState own = Filtered([] { return Outcome(::syscall(SYS_sync)); },
                                 [](Filter& filter) { filter.Kill("sync"); });
  EXPECT_TRUE(own.signalled && own.code == SIGSYS) << own.Describe();
}

TEST(FilterTest, CallsNewerThanTheLibraryDoNotExist) {
  EXPECT_EQ(Code([] { return Outcome(::syscall(600)); }), ENOSYS);
}

TEST(FilterTest, TheFirstImpossibleRuleIsReported) {
  // A condition on an argument that no call has.
  EXPECT_EQ(Code([] { return 0; }, [](Filter& filter) { filter.Allow("read", {Equal(9, 0)}); }),
            99);
  Filter filter;
  filter.Allow("read", {Equal(9, 0)});
  filter.Allow("write", {Equal(9, 0)});
  const Result<void> loaded = filter.Load();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message().find("rule for read: "), 0u) << loaded.error().message();
}

}  // namespace
}  // namespace skerry::seccomp
