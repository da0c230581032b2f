// The child processes of `skerry serve`: started in order, each awaited until it says READY
// (sd_notify), started again when one ends, stopped in reverse order.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "appliance/base/process.h"
#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"

namespace skerry::cli {

struct ServiceSpec {
  std::string name;  // for messages, e.g. "skerry-proxy@api"
  // Called at every start, so that a restart sees current values.
  std::function<Result<SpawnOptions>()> options;
};

// One thread.
class Services {
 public:
  // `notify_path`: where the READY socket is made; removed at the end.
  static Result<std::unique_ptr<Services>> Create(const std::string& notify_path);
  ~Services();

  // Starts the service and returns when it is ready. kUnavailable when it ends before, or is not
  // ready within `timeout_ms`.
  Result<void> Start(ServiceSpec spec, int timeout_ms);

  // Descriptors that become readable when a running service ends, in the order of starting.
  std::vector<int> ExitFds() const;

  // Reaps what ended and starts it again after a pause; `report` gets one line per event.
  // kUnavailable once a service ended five times within a minute.
  Result<void> RestartEnded(const std::function<void(const std::string&)>& report);

  // SIGTERM to each in reverse order, SIGKILL after `grace_ms`.
  void StopAll(int grace_ms);

 private:
  struct Running {
    ServiceSpec spec;
    pid_t pid = -1;
    UniqueFd pidfd;
    std::vector<int64_t> ends_ns;  // of the last minute
  };

  explicit Services(UniqueFd notify, std::string notify_path)
      : notify_(std::move(notify)), notify_path_(std::move(notify_path)) {}
  Result<void> Launch(Running& service, int timeout_ms);
  Result<void> AwaitReady(const Running& service, int timeout_ms);

  UniqueFd notify_;
  std::string notify_path_;
  std::vector<Running> services_;
};

}  // namespace skerry::cli
