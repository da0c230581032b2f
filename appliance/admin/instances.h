// Running engines: loads models by way of the supervisor, watches them until they answer, and only
// then lets the proxy send requests to them.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "appliance/admin/core.h"
#include "appliance/admin/models.h"
#include "appliance/base/result.h"
#include "appliance/store/store.h"

namespace skerry::admin {

enum class LoadState { kStarting, kReady, kFailed };
std::string_view LoadStateName(LoadState state);

struct LoadRequest {
  std::string model;  // digest or id
  std::string alias;  // empty: the last part of the model's id
  std::vector<std::string> flags;
};

struct InstanceStatus {
  store::InstanceRow row;
  std::string model_id;  // "ORG/NAME"
  bool is_default = false;
  LoadState state = LoadState::kStarting;
  std::string detail;  // why it failed, how it last ended, what of its model the engine leaves out
  int restarts = 0;
  bool confirmed = false;  // the proxy has its alias
  std::string warning;     // its model was revoked, and the settings let it go on: why; or empty
};

struct UnloadResult {
  std::string iid;
  std::string alias;
  bool confirmed = false;
};

// Thread-safe. A thread of its own watches the engines.
class Instances {
 public:
  Instances(Core& core, Models& models);
  ~Instances();

  // Once, before anything else: takes up what is to run according to the database and starts the
  // watch. Loads that were under way when the service ended are given up.
  Result<void> Start();

  std::vector<InstanceStatus> List();
  Result<InstanceStatus> Get(const std::string& iid);  // kNotFound

  // Starts an engine and returns at once; Get tells how it goes on. When it crashes before it
  // answers the first time, the load has failed: it is stopped and its alias is free again.
  // kNotFound (model), kAlreadyExists (alias), kInvalidArgument, kUnavailable (no supervisor).
  Result<InstanceStatus> Load(const LoadRequest& request);

  // By id or alias: takes the alias from the policy, waits for the proxy, then stops the engine,
  // which finishes the replies it is giving.
  Result<UnloadResult> Unload(const std::string& name);

  // Unloads every instance whose model is revoked, or says so in log and audit where the settings
  // let it go on; returns the aliases of the unloaded. The first error ends it.
  Result<std::vector<std::string>> UnloadRevoked();

 private:
  struct Instance {
    InstanceStatus status;
    bool first_load = false;  // has never been ready
    bool launched = false;    // the supervisor was asked to start it
    bool busy = false;        // a call is changing it: leave it alone until it is done
    bool unloading = false;
  };

  void Watch();
  // One look at all of them; true while some are not ready yet.
  bool WatchOnce();
  void StopStrangers(const std::vector<supervisor::InstanceInfo>& running);
  void Launch(const store::InstanceRow& row);
  void Look(const Instance& instance, const supervisor::InstanceInfo* info);
  void OnReady(const Instance& instance, const std::string& notes);
  void OnFailedLoad(const Instance& instance, const std::string& detail);
  Result<bool> PublishAlias(const InstanceStatus& status);
  Result<bool> WithdrawAlias(const InstanceStatus& status);
  // What an engine that is ready says about its model, mostly nothing; none when it is not ready.
  std::optional<std::string> AskHealth(const std::string& iid) const;

  // Calls `change(instance)` if it is still there and nobody else changes it; false otherwise.
  bool Change(const std::string& iid, const std::function<void(Instance&)>& change);
  // Takes the instance for the caller, so that the watch leaves it alone; false when it is taken.
  bool Take(const std::string& iid);
  void GiveBack(const std::string& iid, const std::function<void(Instance&)>& change);
  // Waits until it can be taken for unloading. kNotFound, kUnavailable.
  Result<Instance> TakeForUnload(const std::string& name);
  // Whether the model of `row` may run by its standing, and the instance's warning; one that is new
  // is logged and recorded first.
  Result<std::string> CheckMayRun(const store::InstanceRow& row, const std::string& known);
  Result<store::InstanceRow> NewRow(const store::ModelRow& model, const LoadRequest& request);
  void Insert(Instance instance);
  void Erase(const std::string& iid);

  Core& core_;
  Models& models_;

  std::mutex mu_;
  std::condition_variable wake_;
  std::map<std::string, Instance> instances_;  // by iid; guarded by mu_
  bool stopping_ = false;                      // guarded by mu_
  bool strangers_stopped_ = false;             // watching thread only
  std::thread thread_;
};

}  // namespace skerry::admin
