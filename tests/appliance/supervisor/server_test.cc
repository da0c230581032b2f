#include "appliance/supervisor/server.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "appliance/base/control.h"
#include "appliance/base/unix_socket.h"
#include "tests/appliance/supervisor/fake_engine.h"

namespace skerry::supervisor {
namespace {

constexpr char kRuns[] = R"(echo $$ > "$(dirname "$0")/pid"; exec sleep 60)";

class SupervisorTest : public ::testing::Test {
 protected:
  void Begin(const std::string& script, std::optional<ChildOptions> options = std::nullopt) {
    engine_ = std::make_unique<FakeEngine>(script);
    Serve(options.value_or(engine_->Options()));
  }
  void Serve(const ChildOptions& options) {
    socket_ = engine_->path() + "/run/supervisor.sock";
    supervisor_ = ChildSupervisor::Start(ListenUnix(socket_).value(), options).value();
    client_ = std::make_unique<Client>(socket_);
  }
  InstanceInfo Only() {
    const Result<std::vector<InstanceInfo>> list = client_->List();
    EXPECT_TRUE(list.has_value());
    return list && list->size() == 1 ? list->front() : InstanceInfo{};
  }
  std::unique_ptr<FakeEngine> engine_;
  std::string socket_;
  std::unique_ptr<ChildSupervisor> supervisor_;
  std::unique_ptr<Client> client_;
};

TEST_F(SupervisorTest, StartListStop) {
  Begin(kRuns);
  EXPECT_TRUE(client_->List().value().empty());
  const StartRequest request{"0a1b2c3d", kModel, {}};
  ASSERT_TRUE(client_->Start(request).has_value());
  EXPECT_EQ(Only().id, "0a1b2c3d");
  EXPECT_EQ(Only().state, InstanceState::kRunning);
  ASSERT_TRUE(Eventually([&] { return engine_->Read("pid").ends_with('\n'); }));
  const pid_t pid = std::stoi(engine_->Read("pid"));
  EXPECT_EQ(::kill(pid, 0), 0);
  // The same again is the same; other arguments are not.
  EXPECT_TRUE(client_->Start(request).has_value());
  EXPECT_EQ(client_->Start({"0a1b2c3d", kModel, {"--threads", "1"}}).error().code(),
            ErrorCode::kAlreadyExists);
  ASSERT_TRUE(client_->Stop("0a1b2c3d").has_value());
  EXPECT_NE(::kill(pid, 0), 0);
  EXPECT_TRUE(client_->List().value().empty());
  EXPECT_FALSE(engine_->Exists("run/engine/0a1b2c3d"));
  EXPECT_EQ(client_->Stop("0a1b2c3d").error().code(), ErrorCode::kNotFound);
}

TEST_F(SupervisorTest, RefusesWhatIsNotARequest) {
  Begin(kRuns);
  EXPECT_EQ(client_->Start({"0a1b2c3d", "sha256-" + std::string(64, 'b'), {}}).error().code(),
            ErrorCode::kNotFound);
  EXPECT_EQ(client_->Start({"0a1b2c3d", kModel, {"--listen", "x"}}).error().code(),
            ErrorCode::kInvalidArgument);
  const Json requests[] = {Json::array(), Json{{"op", "start"}, {"id", "../x"}}, Json{{"op", 1}}};
  for (const Json& request : requests) {
    EXPECT_FALSE(CallControl(socket_, request, 5'000).has_value()) << request;
  }
  EXPECT_EQ(
      CallControl(socket_, Json{{"op", std::string(kMaxControlLineBytes + 5'000, 'x')}}, 5'000)
          .error()
          .code(),
      ErrorCode::kExhausted);
  EXPECT_TRUE(client_->List().value().empty());
}

TEST_F(SupervisorTest, RefusesOtherUsers) {
  engine_ = std::make_unique<FakeEngine>(kRuns);
  ChildOptions options = engine_->Options();
  options.allowed_uid = ::getuid() + 1;
  Serve(options);
  EXPECT_EQ(client_->List().error().code(), ErrorCode::kDenied);
}

TEST_F(SupervisorTest, BringsAKilledEngineBack) {
  Begin(kRuns);
  ASSERT_TRUE(client_->Start({"0a1b2c3d", kModel, {}}).has_value());
  ASSERT_TRUE(Eventually([&] { return engine_->Read("pid").ends_with('\n'); }));
  const std::string first = engine_->Read("pid");
  ::kill(std::stoi(first), SIGKILL);
  ASSERT_TRUE(Eventually([&] {
    const std::string pid = engine_->Read("pid");
    return pid != first && pid.ends_with('\n');
  }));
  EXPECT_EQ(Only().restarts, 1);
  EXPECT_EQ(Only().detail, "signal 9 (Killed)");
}

TEST_F(SupervisorTest, GivesUpAndSaysWhyAndCanBeToldAgain) {
  Begin("echo 'model.safetensors: cut off' >&2; exit 1");
  ASSERT_TRUE(client_->Start({"0a1b2c3d", kModel, {}}).has_value());
  ASSERT_TRUE(Eventually([&] { return Only().state == InstanceState::kFailed; }));
  EXPECT_EQ(Only().restarts, 4);
  EXPECT_EQ(Only().detail, "exit status 1: model.safetensors: cut off");
  engine_->SetScript(kRuns);
  ASSERT_TRUE(client_->Start({"0a1b2c3d", kModel, {}}).has_value());
  EXPECT_EQ(Only().state, InstanceState::kRunning);
  EXPECT_EQ(Only().restarts, 0);
  // A failed one is stopped like any other.
  ASSERT_TRUE(client_->Stop("0a1b2c3d").has_value());
}

TEST_F(SupervisorTest, ItsEndIsTheirs) {
  Begin(R"(echo $$ > "$(dirname "$0")/pid-$$"; exec sleep 60)");
  for (const char* id : {"00000001", "00000002", "00000003"}) {
    ASSERT_TRUE(client_->Start({id, kModel, {}}).has_value());
  }
  supervisor_.reset();
  auto files = OpenFiles(engine_->path()).value();
  EXPECT_TRUE(files->List("run/engine").value().empty());
  const std::vector<DirectoryEntry> entries = files->List(".").value();
  for (const DirectoryEntry& entry : entries) {
    if (entry.name.starts_with("pid-")) {
      EXPECT_NE(::kill(std::stoi(entry.name.substr(4)), 0), 0);
    }
  }
  EXPECT_EQ(client_->List().error().code(), ErrorCode::kUnavailable);
}

TEST_F(SupervisorTest, ManyInstancesAreBounded) {
  Begin("exec sleep 60");
  for (size_t i = 0; i < kMaxInstances; ++i) {
    char id[9];
    std::snprintf(id, sizeof id, "%08zx", i);
    ASSERT_TRUE(client_->Start({id, kModel, {}}).has_value()) << i;
  }
  EXPECT_EQ(client_->Start({"ffffffff", kModel, {}}).error().code(), ErrorCode::kExhausted);
  EXPECT_EQ(client_->List().value().size(), kMaxInstances);
}

}  // namespace
}  // namespace skerry::supervisor
