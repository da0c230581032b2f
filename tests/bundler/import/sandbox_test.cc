#include "bundler/import/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "appliance/base/encode.h"
#include "appliance/base/files.h"
#include "appliance/base/process.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"

namespace skerry::import {
namespace {

constexpr int kNotEntered = 99;
constexpr int kWithinReach = 77;

// Runs `body` in a child inside the sandbox.
template <typename Body>
ExitState ChildInSandbox(const std::string& data, Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const Result<void> entered = EnterSandbox(data);
    ::_exit(entered ? body() : kNotEntered);
  }
  return WaitForExit(pid).value().value();
}

// Its exit status is `body`'s value.
template <typename Body>
int InSandbox(const std::string& data, Body body) {
  const ExitState state = ChildInSandbox(data, body);
  EXPECT_FALSE(state.signalled) << state.Describe();
  return state.signalled ? -1 : state.code;
}

class SandboxTest : public ::testing::Test {
 protected:
  SandboxTest() : files_(OpenFiles(directory_.path()).value()) {
    EXPECT_TRUE(files_->MakeDirectory("staging"));
    EXPECT_TRUE(files_->MakeDirectory("store"));
    EXPECT_TRUE(WriteAtomically(*files_, "secret", "x"));
  }
  skerry::testing::TemporaryDirectory directory_;
  std::unique_ptr<FileSystem> files_;
};

TEST_F(SandboxTest, AnImportsOwnWorkIsAllowed) {
  EXPECT_EQ(InSandbox(directory_.path(),
                      [&] {
                        bool ok = MakeDirectories(*files_, "staging/1/files").has_value();
                        ok = ok &&
                             WriteAtomically(*files_, "staging/1/files/a", "x", 0444).has_value();
                        ok = ok && ReadAll(*files_, "staging/1/files/a").has_value();
                        ok = ok && files_->SyncDirectory("staging/1").has_value();
                        ok = ok && files_->FreeBytes().has_value();
                        ok = ok && files_->RenameNoReplace("staging/1", "store/1").has_value();
                        ok = ok && files_->SyncDirectory("store").has_value();
                        auto file = files_->Create("staging/b", 0644).value();
                        ok = ok && file->Allocate(100'000).has_value();
                        ok = ok && file->WriteAt(50'000, AsBytes("text")).has_value();
                        file->StartWriteback(0, 100'000);
                        ok = ok && file->Sync().has_value();
                        file->WillNotNeed(0, 100'000);
                        ok = ok && file->SetMode(0444).has_value();
                        ok = ok && files_->Remove("staging/b").has_value();
                        bool ran = false;
                        std::thread([&] { ran = true; }).join();
                        return ok && ran && RemoveTree(*files_, "store/1").has_value() ? 0 : 1;
                      }),
            0);
}

TEST_F(SandboxTest, SocketsAndLinksAreDenied) {
  EXPECT_EQ(InSandbox(directory_.path(),
                      [] {
                        int pair[2];
                        if (::socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EPERM) return 1;
                        if (::socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM) return 2;
                        if (::socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0 || errno != EPERM)
                          return 3;
                        if (::symlink("a", "b") == 0 || errno != EPERM) return 4;
                        if (::link("a", "b") == 0 || errno != EPERM) return 5;
                        return 0;
                      }),
            0);
}

TEST_F(SandboxTest, HostileCallsKill) {
  const std::vector<std::function<long()>> calls = {
      [] {
        char* const argv[] = {const_cast<char*>("/bin/true"), nullptr};
        return ::execv(argv[0], argv);
      },
      [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); },
      [] { return ::unshare(CLONE_NEWUSER); },
      [] { return ::mount("none", "/", "tmpfs", 0, nullptr); },
      [] {
        char byte = 0;
        const iovec part{&byte, 1};
        return ::process_vm_readv(::getppid(), &part, 1, &part, 1, 0);
      }};
  for (size_t i = 0; i < calls.size(); ++i) {
    const ExitState state = ChildInSandbox(directory_.path(), [&] {
      calls[i]();
      return 0;
    });
    EXPECT_TRUE(state.signalled && state.code == SIGSYS) << i << ": " << state.Describe();
  }
}

TEST_F(SandboxTest, OtherProcessesGetNoSignalsAndNoneIsMade) {
  const pid_t parent = ::getpid();
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, parent, 0)));
  ASSERT_TRUE(pidfd);
  auto [here, there] = StreamPair().value();
  const std::vector<std::function<long()>> calls = {
      [&] { return ::kill(parent, 0); },
      [&] { return ::syscall(SYS_tkill, parent, 0); },
      [&] { return ::syscall(SYS_tgkill, parent, parent, 0); },
      [&] {
        siginfo_t info{};
        info.si_code = SI_QUEUE;
        return ::syscall(SYS_rt_sigqueueinfo, parent, SIGCONT, &info);
      },
      [&] {
        siginfo_t info{};
        info.si_code = SI_QUEUE;
        return ::syscall(SYS_rt_tgsigqueueinfo, parent, parent, SIGCONT, &info);
      },
      [&] { return ::syscall(SYS_pidfd_open, parent, 0); },
      [&] { return ::syscall(SYS_pidfd_send_signal, pidfd.get(), 0, nullptr, 0); },
      [&] { return ::fcntl(here.get(), F_SETOWN, parent); },
      [&] { return ::fcntl(here.get(), F_SETFL, O_ASYNC); },
      [] { return ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); },
      [&] { return ::setpriority(PRIO_PROCESS, static_cast<id_t>(parent), 19); },
      [&] {
        rlimit limit{0, 0};
        return ::prlimit(parent, RLIMIT_CORE, &limit, nullptr);
      }};
  for (size_t i = 0; i < calls.size(); ++i) {
    EXPECT_EQ(InSandbox(directory_.path(), [&] { return calls[i]() < 0 ? errno : 0; }), EPERM) << i;
  }
  EXPECT_EQ(InSandbox(directory_.path(), [] { return ::fork() < 0 ? errno : 0; }), EPERM);
}

TEST_F(SandboxTest, AbortStillWorks) {
  const ExitState state = ChildInSandbox(directory_.path(), [] {
    std::signal(SIGABRT, SIG_DFL);
    std::abort();
    return 0;
  });
  EXPECT_TRUE(state.signalled && state.code == SIGABRT) << state.Describe();
}

TEST_F(SandboxTest, OtherFilesKeepTheirContentAndMode) {
  const std::string victim = directory_.path() + "/secret";
  const UniqueFd open(::open(victim.c_str(), O_RDWR | O_CLOEXEC));
  struct stat before {};
  ASSERT_EQ(::stat(victim.c_str(), &before), 0);
  const char* path = victim.c_str();
  const std::vector<std::function<long()>> calls = {
      [&] { return ::truncate(path, 0); },
      [&] { return ::ftruncate(open.get(), 0); },
      [&] { return ::open(path, O_WRONLY | O_TRUNC); },
      [&] { return ::chmod(path, 0777); },
      [&] { return ::fchmod(open.get(), 0777); },
      [&] { return ::fchmodat(AT_FDCWD, path, 0777, 0); },
      [&] { return ::chown(path, 1, 1); },
      [&] { return ::utimensat(AT_FDCWD, path, nullptr, 0); },
      [&] { return ::setxattr(path, "user.x", "x", 1, 0); },
      [&] { return ::unlink(path); },
      [&] { return ::rename(path, (directory_.path() + "/staging/x").c_str()); }};
  for (size_t i = 0; i < calls.size(); ++i) {
    const int error = InSandbox(directory_.path(), [&] { return calls[i]() < 0 ? errno : 0; });
    EXPECT_TRUE(error == EPERM || error == EACCES) << i << ": " << error;
  }
  struct stat after {};
  ASSERT_EQ(::stat(victim.c_str(), &after), 0);
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
  EXPECT_EQ(ReadAll(*files_, "secret").value(), "x");
}

TEST_F(SandboxTest, OtherFilesAreOutOfReachWhereTheKernelHasLandlock) {
  const std::string secret = directory_.path() + "/secret";
  const std::string outside = directory_.path() + "/made";
  const int status = InSandbox(directory_.path(), [&] {
    const int own = ::open((directory_.path() + "/staging/x").c_str(), O_CREAT | O_RDWR, 0600);
    if (own < 0) return 1;
    if (::open(secret.c_str(), O_RDONLY) >= 0) return kWithinReach;
    if (errno != EACCES) return 2;
    if (::open(secret.c_str(), O_WRONLY) >= 0 || errno != EACCES) return 3;
    if (::open(outside.c_str(), O_CREAT | O_WRONLY, 0600) >= 0 || errno != EACCES) return 4;
    if (::unlinkat(AT_FDCWD, secret.c_str(), 0) == 0 || errno != EACCES) return 5;
    return 0;
  });
  if (status == kWithinReach) GTEST_SKIP() << "this kernel has no Landlock of version 2";
  EXPECT_EQ(status, 0);
}

TEST_F(SandboxTest, InheritedDescriptorsAreClosed) {
  const int fd = ::open("/dev/null", O_RDONLY);
  ASSERT_GE(fd, 3);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const bool dropped = DropInherited().has_value();
    ::_exit(dropped && ::fcntl(fd, F_GETFD) < 0 && ::fcntl(2, F_GETFD) >= 0 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
  ::close(fd);
}

}  // namespace
}  // namespace skerry::import
