#include "appliance/supervisor/child.h"

#include <gtest/gtest.h>
#include <poll.h>

#include "tests/appliance/supervisor/fake_engine.h"

namespace skerry::supervisor {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

void AwaitExit(Child& child, int64_t now_ns) {
  pollfd wait{child.exit_fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&wait, 1, 10'000), 1);
  child.OnExit(now_ns);
}

TEST(ChildTest, GetsItsArgumentsAndNothingElse) {
  FakeEngine engine(R"(echo "$@" > "$(dirname "$0")/args"; ls /proc/$$/fd > "$(dirname "$0")/fds"
cat > "$(dirname "$0")/stdin")");
  const ChildOptions options = engine.Options();
  Child child({"0a1b2c3d", kModel, {"--max-model-len", "64"}}, options);
  ASSERT_TRUE(child.Launch().has_value());
  AwaitExit(child, 0);
  EXPECT_EQ(engine.Read("args"), "--model " + engine.path() + "/store/" + kModel +
                                     "/files --listen unix:" + engine.path() +
                                     "/run/engine/0a1b2c3d/sock --max-model-len 64\n");
  EXPECT_EQ(engine.Read("stdin"), "");
  // 10 is what dash opens the script as, or 255 in bash.
  EXPECT_EQ(engine.Read("fds").substr(0, 6), "0\n1\n10");
}

TEST(ChildTest, NoModelNoProcess) {
  FakeEngine engine("exit 0");
  const ChildOptions options = engine.Options();
  Child child({"0a1b2c3d", "sha256-" + std::string(64, 'b'), {}}, options);
  EXPECT_EQ(child.Launch().error().code(), ErrorCode::kNotFound);
  ChildOptions missing = engine.Options();
  missing.engine_program = engine.path() + "/none";
  Child other({"0a1b2c3d", kModel, {}}, missing);
  EXPECT_EQ(other.Launch().error().code(), ErrorCode::kNotFound);
}

TEST(ChildTest, CrashesAreRestartedLaterEachTimeAndThenNoMore) {
  FakeEngine engine("echo starting >&2; echo 'cannot load: no such tensor' >&2; exit 3");
  ChildOptions options = engine.Options();
  options.first_restart_ms = 1'000;
  options.max_restart_ms = 4'000;
  Child child({"0a1b2c3d", kModel, {}}, options);
  ASSERT_TRUE(child.Launch().has_value());
  int64_t now = 100 * kSecond;
  const int64_t delays[] = {1, 2, 4, 4};
  for (int i = 0; i < 4; ++i) {
    AwaitExit(child, now);
    EXPECT_EQ(child.Info().state, InstanceState::kWaiting);
    EXPECT_EQ(child.Info().restarts, i);
    EXPECT_EQ(child.Info().detail, "exit status 3: cannot load: no such tensor");
    ASSERT_EQ(child.deadline_ns().value_or(0), now + delays[i] * kSecond);
    now += delays[i] * kSecond;
    child.OnDeadline(now);
    EXPECT_EQ(child.Info().state, InstanceState::kRunning);
  }
  AwaitExit(child, now);
  EXPECT_EQ(child.Info().state, InstanceState::kFailed);
  EXPECT_FALSE(child.deadline_ns().has_value());
}

TEST(ChildTest, CrashesLongAgoAreForgotten) {
  FakeEngine engine("exit 1");
  ChildOptions options = engine.Options();
  options.first_restart_ms = 1'000;
  Child child({"0a1b2c3d", kModel, {}}, options);
  ASSERT_TRUE(child.Launch().has_value());
  int64_t now = 0;
  for (int i = 0; i < 10; ++i) {
    AwaitExit(child, now);
    ASSERT_EQ(child.deadline_ns().value_or(0), now + kSecond);
    child.OnDeadline(now);
    now += 61 * kSecond;
  }
}

TEST(ChildTest, StopsPolitelyThenNot) {
  FakeEngine engine("trap '' TERM; echo ready; while :; do sleep 0.05; done");
  const ChildOptions options = engine.Options();
  Child child({"0a1b2c3d", kModel, {}}, options);
  ASSERT_TRUE(child.Launch().has_value());
  pollfd wait{child.output_fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&wait, 1, 10'000), 1);  // the trap is set
  child.BeginStop(0);
  EXPECT_FALSE(child.Ended());
  ASSERT_EQ(child.deadline_ns().value_or(0), 5 * kSecond);
  pollfd exit_wait{child.exit_fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&exit_wait, 1, 50), 0);
  child.OnDeadline(5 * kSecond);
  AwaitExit(child, 5 * kSecond);
  EXPECT_TRUE(child.Ended());
  EXPECT_EQ(child.Info().detail, "signal 9 (Killed)");
}

TEST(ChildTest, LeavesNothingBehind) {
  FakeEngine engine("echo hello; exec sleep 60");
  const ChildOptions options = engine.Options();
  {
    Child child({"0a1b2c3d", kModel, {}}, options);
    ASSERT_TRUE(child.Launch().has_value());
    pollfd wait{child.output_fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&wait, 1, 10'000), 1);
    child.OnOutput();
    EXPECT_EQ(engine.Read("run/engine/0a1b2c3d/log"), "hello\n");
  }
  EXPECT_FALSE(engine.Exists("run/engine/0a1b2c3d"));
}

}  // namespace
}  // namespace skerry::supervisor
