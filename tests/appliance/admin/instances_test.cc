#include "appliance/admin/instances.h"

#include <gtest/gtest.h>

#include "tests/appliance/admin/world.h"

namespace skerry::admin {
namespace {

using supervisor::InstanceState;

class InstancesTest : public ::testing::Test {
 protected:
  void Begin() {
    core_ = Core::Open(world_.path(), RealClock()).value();
    trust_ = std::make_unique<TrustKeeper>(*core_, "test");
    models_ = std::make_unique<Models>(*core_, *trust_);
    ASSERT_TRUE(models_->Reconcile().has_value());
    instances_ = std::make_unique<Instances>(*core_, *models_);
    ASSERT_TRUE(instances_->Start().has_value());
  }
  void End() {
    instances_.reset();
    models_.reset();
    trust_.reset();
    core_.reset();
  }
  void BeginAll() {
    digest_ = world_.AddModel();
    world_.StartSupervisor();
    world_.StartProxy();
    Begin();
  }
  bool Becomes(const std::string& iid, LoadState state) {
    return Eventually([&] {
      const Result<InstanceStatus> status = instances_->Get(iid);
      return status && status->state == state;
    });
  }
  std::string LoadReady(const std::string& alias = "") {
    const Result<InstanceStatus> status = instances_->Load({"acme/tiny", alias, {}});
    EXPECT_TRUE(status.has_value()) << status.error().message();
    if (!status) return "";
    EXPECT_TRUE(Becomes(status->row.iid, LoadState::kReady));
    return status->row.iid;
  }

  World world_;
  std::string digest_;
  std::unique_ptr<Core> core_;
  std::unique_ptr<TrustKeeper> trust_;
  std::unique_ptr<Models> models_;
  std::unique_ptr<Instances> instances_;
};

TEST_F(InstancesTest, Refusals) {
  BeginAll();
  EXPECT_EQ(instances_->Load({"no/such", "", {}}).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(instances_->Load({"acme/tiny", "bad alias", {}}).error().code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(instances_->Load({"acme/tiny", "", {"--listen", "x"}}).error().code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(instances_->Unload("nothing").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(instances_->Get("0a1b2c3d").error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(instances_->List().empty());
  EXPECT_TRUE(world_.Running().empty());
}

TEST_F(InstancesTest, AnAliasIsPublishedOnlyWhenTheEngineAnswers) {
  BeginAll();
  world_.healthy = false;
  const InstanceStatus loading =
      instances_->Load({"acme/tiny", "", {"--max-model-len", "64"}}).value();
  const std::string iid = loading.row.iid;
  EXPECT_EQ(loading.state, LoadState::kStarting);
  EXPECT_EQ(loading.row.alias, "tiny");
  EXPECT_TRUE(loading.is_default);
  EXPECT_EQ(world_.StartedAs(iid),
            (supervisor::StartRequest{iid, digest_, {"--max-model-len", "64"}}));
  EXPECT_TRUE(world_.Published().aliases.empty());
  EXPECT_EQ(instances_->Load({"acme/tiny", "tiny", {}}).error().code(), ErrorCode::kAlreadyExists);
  world_.healthy = true;
  ASSERT_TRUE(Becomes(iid, LoadState::kReady));
  EXPECT_TRUE(instances_->Get(iid)->confirmed);
  const policy::Policy published = world_.Published();
  ASSERT_NE(published.FindAlias("tiny"), nullptr);
  EXPECT_EQ(*published.FindAlias("tiny"), (policy::Alias{"tiny", {iid}, true}));
  EXPECT_EQ(world_.loaded_generation(), published.generation);
  EXPECT_EQ(world_.Recorded(),
            (std::vector<std::string>{"model-registered", "instance-started", "alias-changed"}));
}

TEST_F(InstancesTest, UnloadWithdrawsConfirmsAndThenStops) {
  BeginAll();
  const std::string first = LoadReady("one");
  const std::string second = LoadReady("two");
  EXPECT_FALSE(instances_->Get(second)->is_default);
  const Result<UnloadResult> unloaded = instances_->Unload("one");
  ASSERT_TRUE(unloaded.has_value()) << unloaded.error().message();
  EXPECT_EQ(unloaded->iid, first);
  EXPECT_TRUE(unloaded->confirmed);
  const std::vector<std::string> events = world_.Events();
  ASSERT_GE(events.size(), 2u);
  EXPECT_EQ(events[events.size() - 2], "load: two; 0 tokens");
  EXPECT_EQ(events.back(), "stop " + first);
  EXPECT_EQ(instances_->Get(first).error().code(), ErrorCode::kNotFound);
  // By id, too.
  EXPECT_EQ(instances_->Unload(second)->alias, "two");
  EXPECT_TRUE(world_.Running().empty());
  EXPECT_TRUE(core_->WithStore([](store::Store& s) { return s.Instances(); }).value().empty());
}

TEST_F(InstancesTest, ACrashWhileLoadingFailsTheLoadAndFreesTheAlias) {
  BeginAll();
  world_.crash = true;
  const std::string iid = instances_->Load({"acme/tiny", "demo", {}}).value().row.iid;
  ASSERT_TRUE(Becomes(iid, LoadState::kFailed));
  EXPECT_EQ(instances_->Get(iid)->detail, "exit status 1: tensor 'x' is cut off");
  EXPECT_TRUE(world_.Running().empty());
  EXPECT_TRUE(world_.Published().aliases.empty());
  EXPECT_EQ(world_.Recorded().back(), "instance-started!");
  world_.crash = false;
  const std::string again = LoadReady("demo");
  // The failure is forgotten with the next load of its alias.
  EXPECT_EQ(instances_->Get(iid).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(instances_->List().size(), 1u);
  EXPECT_EQ(instances_->List()[0].row.iid, again);
}

TEST_F(InstancesTest, AFailureCanBeDismissed) {
  BeginAll();
  world_.crash = true;
  const std::string iid = instances_->Load({"acme/tiny", "demo", {}}).value().row.iid;
  ASSERT_TRUE(Becomes(iid, LoadState::kFailed));
  EXPECT_EQ(instances_->Unload("demo")->iid, iid);
  EXPECT_TRUE(instances_->List().empty());
}

TEST_F(InstancesTest, ALoadUnderWayCanBeStopped) {
  BeginAll();
  world_.healthy = false;
  const std::string iid = instances_->Load({"acme/tiny", "demo", {}}).value().row.iid;
  ASSERT_TRUE(instances_->Unload("demo").has_value());
  EXPECT_TRUE(world_.Running().empty());
  EXPECT_EQ(instances_->Get(iid).error().code(), ErrorCode::kNotFound);
}

TEST_F(InstancesTest, WithoutASupervisorNothingIsLoaded) {
  world_.AddModel();
  Begin();
  EXPECT_EQ(instances_->Load({"acme/tiny", "demo", {}}).error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(instances_->List().empty());
  world_.StartSupervisor();
  LoadReady("demo");  // the alias is free
}

TEST_F(InstancesTest, ACrashLaterIsTheSupervisorsToMend) {
  BeginAll();
  world_.health = R"({"status":"ok","notes":["it takes no images",7,"nor sounds"]})";
  const std::string iid = LoadReady("demo");
  EXPECT_EQ(instances_->Get(iid)->detail, "it takes no images; nor sounds");
  world_.healthy = false;
  world_.SetInfo(iid, InstanceState::kWaiting, 0, "signal 9 (Killed)");
  ASSERT_TRUE(Becomes(iid, LoadState::kStarting));
  EXPECT_EQ(instances_->Get(iid)->detail, "signal 9 (Killed)");
  EXPECT_NE(world_.Published().FindAlias("demo"), nullptr);
  world_.SetInfo(iid, InstanceState::kRunning, 1, "signal 9 (Killed)");
  world_.healthy = true;
  ASSERT_TRUE(Becomes(iid, LoadState::kReady));
  EXPECT_EQ(instances_->Get(iid)->restarts, 1);
  EXPECT_EQ(instances_->Get(iid)->detail, "signal 9 (Killed); it takes no images; nor sounds");
  world_.SetInfo(iid, InstanceState::kFailed, 5, "exit status 1");
  ASSERT_TRUE(Becomes(iid, LoadState::kFailed));
  EXPECT_TRUE(instances_->Unload("demo").has_value());
}

TEST_F(InstancesTest, WhatWasReadyIsLoadedAgainAfterARestartOfEverything) {
  BeginAll();
  const std::string iid = LoadReady("demo");
  world_.healthy = false;
  const std::string unfinished = instances_->Load({digest_, "other", {}}).value().row.iid;
  End();
  world_.EndEngines();
  world_.healthy = true;
  Begin();
  ASSERT_TRUE(Becomes(iid, LoadState::kReady));
  EXPECT_TRUE(instances_->Get(iid)->is_default);
  EXPECT_EQ(world_.Running(), std::vector<std::string>{iid});
  EXPECT_EQ(instances_->Get(unfinished).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(world_.Published().aliases.size(), 1u);
}

TEST_F(InstancesTest, EnginesSurviveTheServiceAndStrangersAreStopped) {
  BeginAll();
  const std::string iid = LoadReady("demo");
  End();
  const size_t events = world_.Events().size();
  supervisor::Client client(world_.path() + "/run/supervisor.sock");
  ASSERT_TRUE(client.Start({"deadbeef", digest_, {}}).has_value());
  Begin();
  ASSERT_TRUE(Becomes(iid, LoadState::kReady));
  ASSERT_TRUE(Eventually([&] { return world_.Running() == std::vector<std::string>{iid}; }));
  const std::vector<std::string> all = world_.Events();
  for (size_t i = events; i < all.size(); ++i) EXPECT_NE(all[i], "stop " + iid);
}

TEST_F(InstancesTest, AnAliasThatNothingStandsBehindIsWithdrawnAtTheStart) {
  BeginAll();
  ASSERT_TRUE(
      core_->publisher().Publish({policy::PutAlias{{"ghost", {"0a1b2c3d"}, true}}}).has_value());
  End();
  Begin();
  EXPECT_TRUE(world_.Published().aliases.empty());
  ASSERT_TRUE(
      Eventually([&] { return world_.loaded_generation() == world_.Published().generation; }));
}

TEST_F(InstancesTest, AModelWhoseFilesAreGoneCannotBeLoaded) {
  BeginAll();
  ASSERT_TRUE(RemoveTree(world_.files(), "store/" + digest_).has_value());
  EXPECT_EQ(instances_->Load({"acme/tiny", "", {}}).error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace skerry::admin
