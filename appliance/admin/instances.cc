#include "appliance/admin/instances.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>

#include "appliance/admin/store_models.h"
#include "appliance/base/encode.h"
#include "appliance/base/log.h"
#include "appliance/http/client.h"

namespace skerry::admin {

namespace {

constexpr auto kEagerPause = std::chrono::milliseconds(100);  // while something starts
constexpr auto kCalmPause = std::chrono::milliseconds(1'000);
constexpr int kHealthConnectMs = 1'000;
constexpr int kHealthAnswerMs = 2'000;
constexpr size_t kMaxHealthBytes = 4 << 10;
// Failed loads are remembered so that whoever waits for them learns why.
constexpr size_t kMaxRememberedFailures = 16;

Result<std::string> RandomInstanceId() {
  uint8_t bytes[4];
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
    return ErrnoError("cannot get random bytes", errno);
  }
  return HexEncode(bytes);
}

Json Describe(const store::InstanceRow& row) {
  return {{"model", row.model}, {"alias", row.alias}, {"flags", row.flags}};
}

std::string DefaultAlias(const std::string& model_id) {
  return model_id.substr(model_id.rfind('/') + 1);
}

}  // namespace

std::string_view LoadStateName(LoadState state) {
  switch (state) {
    case LoadState::kStarting:
      return "starting";
    case LoadState::kReady:
      return "ready";
    case LoadState::kFailed:
      return "failed";
  }
  return "unknown";
}

Instances::Instances(Core& core, Models& models) : core_(core), models_(models) {}

Instances::~Instances() {
  {
    const std::lock_guard lock(mu_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<void> Instances::Start() {
  const std::vector<store::InstanceRow> rows =
      TRY(core_.WithStore([](store::Store& store) { return store.Instances(); }));
  const std::vector<store::AliasRow> aliases =
      TRY(core_.WithStore([](store::Store& store) { return store.Aliases(); }));
  std::vector<policy::Op> ops;
  const policy::Policy published = core_.publisher().Current();
  for (const auto& [name, alias] : published.aliases) {
    const bool wanted = std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
      return row.alias == name && row.desired;
    });
    if (!wanted) ops.emplace_back(policy::DeleteAlias{name});
  }
  if (!ops.empty()) TRY(core_.publisher().Publish(ops));
  for (const store::InstanceRow& row : rows) {
    if (!row.desired) {  // its engine, if any, is a stranger now
      TRY(core_.WithStore([&](store::Store& store) { return store.DeleteInstance(row.iid); }));
      continue;
    }
    Instance instance;
    instance.status.row = row;
    const Result<store::ModelRow> model =
        core_.WithStore([&](store::Store& store) { return store.Model(row.model); });
    if (model) instance.status.model_id = model->id;
    for (const store::AliasRow& alias : aliases) {
      if (alias.name == row.alias) instance.status.is_default = alias.is_default;
    }
    instances_[row.iid] = std::move(instance);
  }
  thread_ = std::thread([this] {
    WatchOnce();
    // A proxy that outlived the last admin may not know what was changed since.
    core_.publisher().Confirm(core_.publisher().Current().generation);
    Watch();
  });
  return {};
}

std::vector<InstanceStatus> Instances::List() {
  const std::lock_guard lock(mu_);
  std::vector<InstanceStatus> list;
  for (const auto& [iid, instance] : instances_) list.push_back(instance.status);
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
    return std::pair(a.row.created_ms, a.row.iid) < std::pair(b.row.created_ms, b.row.iid);
  });
  return list;
}

Result<InstanceStatus> Instances::Get(const std::string& iid) {
  const std::lock_guard lock(mu_);
  const auto found = instances_.find(iid);
  if (found != instances_.end()) return found->second.status;
  return Error(ErrorCode::kNotFound, "there is no instance '" + iid + "'");
}

Result<store::InstanceRow> Instances::NewRow(const store::ModelRow& model,
                                             const LoadRequest& request) {
  store::InstanceRow row;
  row.model = model.digest;
  row.alias = request.alias.empty() ? DefaultAlias(model.id) : request.alias;
  row.flags = request.flags;
  row.desired = false;  // until it was ready once
  row.created_ms = core_.clock().UnixMillis();
  TRY(supervisor::CheckFlags(row.flags));
  row.iid = TRY(RandomInstanceId());
  TRY(policy::CheckAlias({row.alias, {row.iid}, false}));
  if (!IsStored(core_.files(), row.model)) {
    return Error(ErrorCode::kNotFound, "the files of model '" + model.id +
                                           "' are not in the store any more: import it again");
  }
  return row;
}

Result<std::string> Instances::CheckMayRun(const store::InstanceRow& row,
                                           const std::string& known) {
  std::string warning = TRY(models_.CheckStanding(row.model));
  if (warning.empty() || warning == known) return warning;
  LogWarning("REVOKED MODEL IN USE as '" + row.alias + "' (instance " + row.iid +
             "), because [trust] revoked_models is \"warn\": " + warning);
  TRY(core_.Record("revoked-model-used", row.iid, nullptr,
                   {{"alias", row.alias}, {"model", row.model}, {"reason", warning}}));
  return warning;
}

Result<InstanceStatus> Instances::Load(const LoadRequest& request) {
  const store::ModelRow model = TRY(models_.Find(request.model));
  Instance instance;
  instance.first_load = true;
  instance.launched = true;
  instance.busy = true;
  InstanceStatus& status = instance.status;
  status.model_id = model.id;
  status.row = TRY(NewRow(model, request));
  status.warning = TRY(CheckMayRun(status.row, ""));
  const store::InstanceRow row = status.row;
  const Result<store::AliasRow> alias =
      core_.WithStore([&](store::Store& store) { return store.AddInstance(row); });
  if (!alias && alias.error().code() == ErrorCode::kAlreadyExists) {
    return Error(ErrorCode::kAlreadyExists,
                 "alias '" + row.alias + "' is in use: unload it, or give another alias");
  }
  if (!alias) return alias.error();
  status.is_default = alias->is_default;
  const InstanceStatus answer = status;
  Insert(std::move(instance));
  Result<void> started = core_.Record("instance-started", row.iid, nullptr, Describe(row));
  const bool recorded = started.has_value();
  if (started) started = core_.supervisor().Start({row.iid, row.model, row.flags});
  if (!started) {
    if (recorded) core_.RecordFailure("instance-started", row.iid, started.error());
    (void)core_.WithStore([&](store::Store& store) { return store.DeleteInstance(row.iid); });
    Erase(row.iid);
    return started.error();
  }
  GiveBack(row.iid, [](Instance&) {});
  return answer;
}

Result<UnloadResult> Instances::Unload(const std::string& name) {
  const Instance instance = TRY(TakeForUnload(name));
  const store::InstanceRow& row = instance.status.row;
  UnloadResult result{row.iid, row.alias, true};
  if (instance.first_load && instance.status.state == LoadState::kFailed) {
    Erase(row.iid);  // only remembered
    return result;
  }
  const auto stop = [&]() -> Result<void> {
    TRY(core_.Record("instance-stopped", row.iid, Describe(row), nullptr));
    TRY(core_.WithStore([&](store::Store& store) { return store.SetDesired(row.iid, false); }));
    result.confirmed = TRY(WithdrawAlias(instance.status));
    const Result<void> stopped = core_.supervisor().Stop(row.iid);
    if (!stopped && stopped.error().code() != ErrorCode::kNotFound) return stopped.error();
    return core_.WithStore([&](store::Store& store) { return store.DeleteInstance(row.iid); });
  };
  const Result<void> stopped = stop();
  if (!stopped) {
    core_.RecordFailure("instance-stopped", row.iid, stopped.error());
    GiveBack(row.iid, [&](Instance& changed) {
      changed.unloading = false;
      changed.status.detail = "unloading did not end: " + stopped.error().message();
    });
    return stopped.error();
  }
  Erase(row.iid);
  return result;
}

Result<std::vector<std::string>> Instances::UnloadRevoked() {
  std::vector<std::string> unloaded;
  for (const InstanceStatus& status : List()) {
    const Result<std::string> warning = CheckMayRun(status.row, status.warning);
    if (!warning && warning.error().code() != ErrorCode::kUntrusted) return warning.error();
    if (warning) {
      Change(status.row.iid, [&](Instance& changed) { changed.status.warning = *warning; });
      continue;
    }
    LogWarning("'" + status.row.alias + "' is unloaded: " + warning.error().message());
    const Result<UnloadResult> result = Unload(status.row.iid);
    // Somebody else was faster.
    if (!result && result.error().code() == ErrorCode::kNotFound) continue;
    if (!result) return result.error();
    unloaded.push_back(result->alias);
  }
  return unloaded;
}

Result<Instances::Instance> Instances::TakeForUnload(const std::string& name) {
  std::unique_lock lock(mu_);
  for (;;) {
    Instance* found = nullptr;
    for (auto& [iid, instance] : instances_) {
      const bool matches = iid == name || instance.status.row.alias == name;
      // A failed load may have the same alias as one that runs.
      const bool runs = !(instance.first_load && instance.status.state == LoadState::kFailed);
      if (matches && (found == nullptr || runs)) found = &instance;
    }
    if (found == nullptr) {
      return Error(ErrorCode::kNotFound, "nothing is loaded as '" + name + "'");
    }
    if (found->unloading) {
      return Error(ErrorCode::kUnavailable, "'" + name + "' is being unloaded already");
    }
    if (!found->busy) {
      found->busy = true;
      found->unloading = true;
      return *found;
    }
    wake_.wait(lock);
  }
}

void Instances::Watch() {
  std::unique_lock lock(mu_);
  while (!stopping_) {
    lock.unlock();
    const bool eager = WatchOnce();
    lock.lock();
    if (stopping_) return;
    wake_.wait_for(lock, eager ? kEagerPause : kCalmPause);
  }
}

bool Instances::WatchOnce() {
  std::vector<Instance> watched;
  {
    const std::lock_guard lock(mu_);
    for (const auto& [iid, instance] : instances_) watched.push_back(instance);
  }
  if (watched.empty() && strangers_stopped_) return false;
  const Result<std::vector<supervisor::InstanceInfo>> running = core_.supervisor().List();
  if (!running) {
    for (const Instance& instance : watched) {
      Change(instance.status.row.iid, [&](Instance& changed) {
        if (changed.status.state == LoadState::kStarting) {
          changed.status.detail = "supervisor: " + running.error().message();
        }
      });
    }
    return false;
  }
  if (!strangers_stopped_) StopStrangers(*running);
  bool eager = false;
  for (const Instance& instance : watched) {
    const std::string& iid = instance.status.row.iid;
    if (instance.status.state == LoadState::kStarting) eager = true;
    if (instance.busy) continue;
    if (!instance.launched) {
      Launch(instance.status.row);
      continue;
    }
    const auto info = std::find_if(running->begin(), running->end(),
                                   [&](const auto& item) { return item.id == iid; });
    Look(instance, info == running->end() ? nullptr : &*info);
  }
  return eager;
}

// Engines of an earlier run that nobody wants any more.
void Instances::StopStrangers(const std::vector<supervisor::InstanceInfo>& running) {
  strangers_stopped_ = true;
  for (const supervisor::InstanceInfo& info : running) {
    {
      const std::lock_guard lock(mu_);
      if (instances_.count(info.id) != 0) continue;
    }
    LogWarning("engine '" + info.id + "' runs, but is not to: it is stopped");
    const Result<void> stopped = core_.supervisor().Stop(info.id);
    if (!stopped) LogWarning(stopped.error().message());
  }
}

// What is to run since an earlier start.
void Instances::Launch(const store::InstanceRow& row) {
  if (!Take(row.iid)) return;
  const Result<std::string> warning = CheckMayRun(row, "");
  Result<void> started = warning ? Result<void>() : warning.error();
  if (started) started = core_.Record("instance-started", row.iid, nullptr, Describe(row));
  if (started) started = core_.supervisor().Start({row.iid, row.model, row.flags});
  GiveBack(row.iid, [&](Instance& changed) {
    changed.launched = started.has_value();
    if (warning) changed.status.warning = *warning;
    if (started) return;
    changed.status.detail = started.error().message();
    // Trying again may help when somebody was not there, not otherwise.
    if (started.error().code() == ErrorCode::kUnavailable) return;
    changed.launched = true;
    changed.status.state = LoadState::kFailed;
  });
}

void Instances::Look(const Instance& instance, const supervisor::InstanceInfo* info) {
  const std::string& iid = instance.status.row.iid;
  if (instance.status.state == LoadState::kFailed && info == nullptr) return;
  if (info == nullptr) {
    if (instance.first_load) return OnFailedLoad(instance, "the supervisor does not know it");
    Change(iid, [](Instance& changed) {
      changed.launched = false;
      changed.status.state = LoadState::kStarting;
    });
    return;
  }
  const bool crashed = info->state != supervisor::InstanceState::kRunning ||
                       info->restarts != instance.status.restarts;
  if (instance.first_load && crashed) return OnFailedLoad(instance, info->detail);
  if (crashed || instance.status.state == LoadState::kFailed) {
    Change(iid, [&](Instance& changed) {
      changed.status.restarts = info->restarts;
      changed.status.detail = info->detail;
      changed.status.state = info->state == supervisor::InstanceState::kFailed
                                 ? LoadState::kFailed
                                 : LoadState::kStarting;
    });
    return;
  }
  if (instance.status.state != LoadState::kStarting) return;
  const std::optional<std::string> notes = AskHealth(iid);
  if (notes) OnReady(instance, *notes);
}

std::optional<std::string> Instances::AskHealth(const std::string& iid) const {
  http::ClientRequest request;
  request.target = "/health";
  http::ClientOptions options;
  options.connect_timeout_ms = kHealthConnectMs;
  options.idle_timeout_ms = kHealthAnswerMs;
  options.max_body_bytes = kMaxHealthBytes;
  const Result<http::ClientResponse> response =
      http::FetchUnix(core_.data_directory() + "/run/engine/" + iid + "/sock", request, options);
  if (!response || response->status != 200) return std::nullopt;
  const Result<Json> health = ParseJson(response->body);
  std::string notes;
  if (!health || !health->is_object() || !health->contains("notes")) return notes;
  for (const Json& note : (*health)["notes"]) {
    if (note.is_string()) notes += (notes.empty() ? "" : "; ") + note.get<std::string>();
  }
  return notes;
}

void Instances::OnReady(const Instance& instance, const std::string& notes) {
  const std::string& iid = instance.status.row.iid;
  if (!Take(iid)) return;
  // Wanted from now on: were the service to end here, the next one would load it and publish it.
  Result<void> desired =
      core_.WithStore([&](store::Store& store) { return store.SetDesired(iid, true); });
  Result<bool> confirmed = desired ? PublishAlias(instance.status) : desired.error();
  GiveBack(iid, [&](Instance& changed) {
    if (!confirmed) {  // tried again at the next look
      changed.status.detail = confirmed.error().message();
      return;
    }
    changed.first_load = false;
    changed.status.confirmed = *confirmed;
    changed.status.state = LoadState::kReady;
    changed.status.row.desired = true;
    std::string& detail = changed.status.detail;
    if (changed.status.restarts == 0) detail.clear();
    if (!notes.empty()) detail += (detail.empty() ? "" : "; ") + notes;
  });
  if (confirmed) {
    LogInfo("'" + instance.status.row.alias + "' is ready (instance " + iid + ")");
  } else {
    LogError("'" + instance.status.row.alias + "': " + confirmed.error().message());
  }
}

void Instances::OnFailedLoad(const Instance& instance, const std::string& detail) {
  const store::InstanceRow& row = instance.status.row;
  if (!Take(row.iid)) return;
  LogError("loading '" + row.alias + "' failed: " + detail);
  core_.RecordFailure("instance-started", row.iid, Error(ErrorCode::kUnavailable, detail));
  (void)core_.supervisor().Stop(row.iid).has_value();
  (void)core_.WithStore([&](store::Store& store) { return store.DeleteInstance(row.iid); });
  GiveBack(row.iid, [&](Instance& changed) {
    changed.status.state = LoadState::kFailed;
    changed.status.detail = detail;
  });
}

// Returns whether the proxy has confirmed.
Result<bool> Instances::PublishAlias(const InstanceStatus& status) {
  const policy::Alias wanted{status.row.alias, {status.row.iid}, status.is_default};
  const policy::Policy published = core_.publisher().Current();
  uint64_t generation = published.generation;
  const policy::Alias* existing = published.FindAlias(wanted.name);
  if (existing == nullptr || !(*existing == wanted)) {
    TRY(core_.Record("alias-changed", wanted.name, nullptr,
                     {{"instances", wanted.instances}, {"default", wanted.is_default}}));
    generation = TRY(core_.publisher().Publish({policy::PutAlias{wanted}}));
  }
  return core_.publisher().Confirm(generation);
}

Result<bool> Instances::WithdrawAlias(const InstanceStatus& status) {
  const policy::Policy published = core_.publisher().Current();
  const policy::Alias* existing = published.FindAlias(status.row.alias);
  if (existing == nullptr) return true;
  TRY(core_.Record("alias-changed", existing->name,
                   {{"instances", existing->instances}, {"default", existing->is_default}},
                   nullptr));
  const uint64_t generation = TRY(core_.publisher().Publish({policy::DeleteAlias{existing->name}}));
  return core_.publisher().Confirm(generation);
}

bool Instances::Change(const std::string& iid, const std::function<void(Instance&)>& change) {
  const std::lock_guard lock(mu_);
  const auto found = instances_.find(iid);
  if (found == instances_.end() || found->second.busy) return false;
  change(found->second);
  return true;
}

bool Instances::Take(const std::string& iid) {
  return Change(iid, [](Instance& instance) { instance.busy = true; });
}

void Instances::GiveBack(const std::string& iid, const std::function<void(Instance&)>& change) {
  {
    const std::lock_guard lock(mu_);
    const auto found = instances_.find(iid);
    if (found != instances_.end()) {
      found->second.busy = false;
      change(found->second);
    }
  }
  wake_.notify_all();
}

void Instances::Insert(Instance instance) {
  const std::lock_guard lock(mu_);
  size_t failures = 0;
  for (auto it = instances_.begin(); it != instances_.end();) {
    const Instance& other = it->second;
    const bool failure =
        !other.busy && other.first_load && other.status.state == LoadState::kFailed;
    const bool forget = failure && (other.status.row.alias == instance.status.row.alias ||
                                    ++failures >= kMaxRememberedFailures);
    it = forget ? instances_.erase(it) : std::next(it);
  }
  const std::string iid = instance.status.row.iid;
  instances_[iid] = std::move(instance);
}

void Instances::Erase(const std::string& iid) {
  {
    const std::lock_guard lock(mu_);
    instances_.erase(iid);
  }
  wake_.notify_all();
}

}  // namespace skerry::admin
