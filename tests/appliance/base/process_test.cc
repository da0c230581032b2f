#include "appliance/base/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <functional>
#include <vector>

#include "appliance/base/unix_socket.h"

namespace skerry {
namespace {

// Runs a shell script and returns what it wrote to descriptor 1.
std::string Output(SpawnOptions options, const std::string& script) {
  auto [here, there] = StreamPair().value();
  options.argv = {"/bin/sh", "-c", script};
  options.fds.emplace_back(there.get(), 1);
  const pid_t pid = Spawn(options).value();
  there.Reset();
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = ::read(here.get(), buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(got));
  }
  EXPECT_TRUE(WaitForExit(pid).has_value());
  return text;
}

TEST(Process, ExitStatesAreReported) {
  SpawnOptions options;
  options.argv = {"/bin/sh", "-c", "exit 7"};
  EXPECT_EQ(WaitForExit(Spawn(options).value()).value()->Describe(), "exit status 7");
  options.argv = {"/bin/sh", "-c", "kill -9 $$"};
  EXPECT_EQ(WaitForExit(Spawn(options).value()).value()->Describe(), "signal 9 (Killed)");
}

TEST(Process, AMissingProgramIsAnErrorHere) {
  SpawnOptions options;
  options.argv = {"/no/such/program"};
  const Result<pid_t> pid = Spawn(options);
  ASSERT_FALSE(pid.has_value());
  EXPECT_EQ(pid.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(pid.error().message().find("/no/such/program"), std::string::npos);
}

TEST(Process, ChildrenSeeOnlyWhatTheyWereGiven) {
  const UniqueFd leak(::open("/dev/null", O_RDONLY));  // no close-on-exec on purpose
  ASSERT_TRUE(leak);
  const UniqueFd given(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  SpawnOptions options;
  options.fds = {{given.get(), 5}};
  // ls itself opens the directory it lists, as 3.
  EXPECT_EQ(Output(options, "ls /proc/self/fd | tr '\\n' ' '"), "0 1 2 3 5 ");
}

TEST(Process, SwappedDescriptorsAreNotMixedUp) {
  auto [a, a_peer] = StreamPair().value();
  auto [b, b_peer] = StreamPair().value();
  SpawnOptions options;
  options.argv = {"/bin/sh", "-c", "echo to-a >&9; echo to-b >&8"};
  // Targets that collide with the sources' own numbers in either order.
  options.fds = {{a.get(), 9}, {b.get(), 8}};
  ASSERT_TRUE(WaitForExit(Spawn(options).value()).has_value());
  EXPECT_EQ(ReadLine(a_peer.get(), 100).value(), "to-a");
  EXPECT_EQ(ReadLine(b_peer.get(), 100).value(), "to-b");
}

constexpr int kFewDescriptors = 64;

// The exit status of a child that may have few descriptors and ends with `body`'s value.
int WithFewDescriptors(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const rlimit limit{kFewDescriptors, kFewDescriptors};
    ::_exit(::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? body() : 99);
  }
  const ExitState state = WaitForExit(pid).value().value();
  return state.signalled ? -1 : state.code;
}

TEST(Process, AFewDescriptorsAreEnough) {
  EXPECT_EQ(WithFewDescriptors([] {
              const UniqueFd given(::open("/dev/null", O_RDONLY | O_CLOEXEC));
              SpawnOptions options;
              options.fds = {{given.get(), 5}};
              options.argv = {"/bin/sh", "-c", "test -e /proc/self/fd/5 && exit 7"};
              const Result<pid_t> pid = Spawn(options);
              if (!pid) return 1;
              return WaitForExit(*pid).value()->code == 7 ? 0 : 2;
            }),
            0);
  EXPECT_EQ(WithFewDescriptors([] {
              SpawnOptions options;
              options.argv = {"/no/such/program"};
              const Result<pid_t> pid = Spawn(options);
              return !pid && pid.error().code() == ErrorCode::kNotFound ? 0 : 1;
            }),
            0);
}

TEST(Process, DescriptorsThatDoNotFitAreAnErrorHere) {
  for (const int target : {kFewDescriptors - 1, kFewDescriptors + 10}) {
    EXPECT_EQ(WithFewDescriptors([target] {
                SpawnOptions options;
                options.fds = {{0, target}};
                options.argv = {"/bin/sh", "-c", "exit 0"};
                return Spawn(options) ? 1 : 0;
              }),
              0)
        << target;
  }
  // None is left for the copies: room for Spawn's own pipe only.
  EXPECT_EQ(WithFewDescriptors([] {
              std::vector<UniqueFd> taken;
              for (UniqueFd fd(::dup(0)); fd; fd = UniqueFd(::dup(0)))
                taken.push_back(std::move(fd));
              if (taken.size() < 2) return 2;
              taken.resize(taken.size() - 2);
              SpawnOptions options;
              options.argv = {"/bin/sh", "-c", "exit 0"};
              return Spawn(options) ? 1 : 0;
            }),
            0);
}

TEST(Process, ListenFdsFollowSystemdsProtocol) {
  const UniqueFd given(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  SpawnOptions options;
  options.listen_fds = {{given.get(), "api"}, {given.get(), "control"}};
  EXPECT_EQ(Output(options, "echo $LISTEN_FDS $LISTEN_FDNAMES $((LISTEN_PID == $$))"),
            "2 api:control 1\n");
}

TEST(Process, TheEnvironmentCanBeReplaced) {
  SpawnOptions options;
  options.environment = std::vector<std::string>{"ONLY=this"};
  options.extra_environment = {"AND=that"};
  EXPECT_EQ(Output(options, "echo $ONLY $AND ${HOME:-nohome}"), "this that nohome\n");
}

TEST(Process, StopKillsWhatDoesNotListen) {
  auto [here, there] = StreamPair().value();
  SpawnOptions options;
  options.fds = {{there.get(), 1}};
  options.argv = {"/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"};
  const pid_t pid = Spawn(options).value();
  ASSERT_EQ(ReadLine(here.get(), 100).value(), "ready");
  EXPECT_EQ(StopProcess(pid, 100).value().Describe(), "signal 9 (Killed)");
}

TEST(Process, WaitingCanTimeOut) {
  SpawnOptions options;
  options.argv = {"/bin/sleep", "10"};
  const pid_t pid = Spawn(options).value();
  EXPECT_FALSE(WaitForExit(pid, 20).value().has_value());
  EXPECT_EQ(StopProcess(pid, 1000).value().Describe(), "signal 15 (Terminated)");
}

}  // namespace
}  // namespace skerry
