#include "bundler/import/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"

namespace skerry::import {
namespace {

// Runs `body` in a child inside the sandbox; its return value is the exit status.
template <typename Body>
int InSandbox(const std::string& data, Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const Result<void> entered = EnterSandbox(data);
    ::_exit(entered ? body() : 99);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
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
                        bool ran = false;
                        std::thread([&] { ran = true; }).join();
                        return ok && ran && RemoveTree(*files_, "store/1").has_value() ? 0 : 1;
                      }),
            0);
}

TEST_F(SandboxTest, SocketsAndProgramsAreDenied) {
  EXPECT_EQ(InSandbox(directory_.path(),
                      [] {
                        if (::socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EPERM) return 1;
                        if (::socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM) return 2;
                        char* const argv[] = {const_cast<char*>("/bin/true"), nullptr};
                        if (::execv(argv[0], argv) == 0 || errno != EPERM) return 3;
                        if (::symlink("a", "b") == 0 || errno != EPERM) return 4;
                        return 0;
                      }),
            0);
}

TEST_F(SandboxTest, OtherFilesAreOutOfReachWhereTheKernelHasLandlock) {
  const int status = InSandbox(directory_.path(), [&] {
    const int own = ::open((directory_.path() + "/staging/x").c_str(), O_CREAT | O_RDWR, 0600);
    if (own < 0) return 1;
    const int other = ::open((directory_.path() + "/secret").c_str(), O_RDONLY);
    if (other >= 0) return 77;
    return errno == EACCES ? 0 : 2;
  });
  if (status == 77) GTEST_SKIP() << "this kernel has no Landlock of version 2";
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
